"""ONNX Runtime as every part of the program opens it: one processor core, silent, no telemetry."""

from __future__ import annotations

from typing import Any

from affectscope.errors import require


def open_session(content: bytes, purpose: str) -> Any:
    """An ``onnxruntime.InferenceSession`` of a file's bytes; one thread works for each call.

    Args:
        purpose: what needs ONNX Runtime, as the refusal's sentence begins.

    Raises:
        MissingExtraError: E_EXTRA.
        Exception: whatever the library raises where it refuses the file.
    """
    runtime = require("onnxruntime", purpose, "onnxruntime")
    runtime.disable_telemetry_events()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised, and need not be printed too
    return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
