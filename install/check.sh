#!/bin/sh
# usage: sh install/check.sh PYTHON
# Before the long work starts: prints nothing where all is there, else one line that says what to do.

python=$1
stop() {
    echo "article-chat: $1" >&2
    exit 1
}

[ -n "$python" ] || stop "no Python 3.11 or newer found; install one, or name it: make chat PYTHON=/path/to/python3"
command -v "$python" >/dev/null || stop "$python: no such program; name a Python 3.11 or newer: make chat PYTHON=/path/to/python3"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    stop "$("$python" --version 2>&1) is too old; name a Python 3.11 or newer: make chat PYTHON=/path/to/python3"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    stop "$python cannot make virtual environments; on Debian or Ubuntu: sudo apt install python3-venv"

# The LLM library is compiled here, for this processor.
compiles() { # LANGUAGE PROGRAM COMPILER…: does one of the compilers build the program?
    language=$1 program=$2
    shift 2
    for compiler in "$@"; do
        # shellcheck disable=SC2086  # CC and CXX may hold flags
        printf '%s\n' "$program" | $compiler -x "$language" - -o /dev/null 2>/dev/null && return
    done
    return 1
}
# shellcheck disable=SC2086
compiles c '#include <stdio.h>
int main(void) { return 0; }' "${CC:-cc}" gcc clang &&
    compiles c++ '#include <vector>
int main() { return (int) std::vector<int>().size(); }' "${CXX:-c++}" g++ clang++ ||
    stop "no working C and C++ compiler; on Debian or Ubuntu: sudo apt install build-essential; on macOS: xcode-select --install"

free_gb=$(df -Pk . | awk 'NR == 2 { print int($4 / 1048576) }')
[ "$free_gb" -ge 3 ] || stop "$free_gb GB free in $(pwd), 3 GB needed; free some, or put the checkout elsewhere"
