"""llama.cpp's own server with a model file, until it is killed: `python llama_server.py MODEL PORT`."""

import sys
import threading

from xllamacpp import CommonParams, Server

parameters = CommonParams()
parameters.model.path = sys.argv[1]
parameters.port = int(sys.argv[2])
parameters.n_ctx = 4096
parameters.n_parallel = 1
parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 2
server = Server(parameters)
threading.Event().wait()
