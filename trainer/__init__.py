"""Report pages to a published bundle: data, training, evaluation.

Settings of libraries that count only if they are made before the first import of them.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # ONNX Runtime keeps a device id in the home folder and calls home otherwise
os.environ["KERAS_HOME"] = os.devnull  # a keras.json in the home folder would change the numbers; Keras writes one
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # a missing GPU is an error to TensorFlow's C++ libraries
