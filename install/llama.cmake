# llama-cpp-python includes this when it builds, to make only what article-chat uses, which is the llama library, and to
# make it quickly. Measured on two cores: 355 s of processor time without this file, 120 s with it, and the same speed.

set(LLAVA_BUILD OFF)          # pictures and sound
set(LLAMA_BUILD_COMMON OFF)   # what llama.cpp's own programs share; a plain -D cannot turn it off

# The arithmetic is in ggml, which stays at -O3.
cmake_language(DEFER CALL target_compile_options llama PRIVATE -O1)

# With GCC, the AMX code crashes on the first prompt (ggml-org/llama.cpp issue 20824, pull request 26954).
add_compile_options(-U__AMX_INT8__)
