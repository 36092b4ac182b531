"""A network in an ONNX file, run on a processor by ONNX Runtime.

The file is no program, and is checked all the same: it must be whole in itself (a file can name
others, whose bytes would be read as weights), have one input of the stated form, and the tensor
that is asked for. That tensor may lie inside the network, such as what a classifier is fed; what
comes after it is then not computed.

Legend: N pictures, C = 3, S rows and columns, F features.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from affectscope.errors import AffectScopeError, ModelError, require
from affectscope.io.files import shown
from affectscope.models.face_facts import FacePreprocessing
from affectscope.models.onnx_session import open_session

PURPOSE = "A face encoder from an ONNX file"
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
_MOST_SHOWN = 6
_HOW = "See docs/face-encoders.md."


class OnnxNetwork:
    """What stands between prepared pictures and one tensor of an ONNX file.

    Args:
        content: the file's bytes.
        name: its name, for errors.
        output: the tensor's name.
        preprocessing: what makes its input.

    Raises:
        ModelError: E_FACE_FILE where it is no ONNX file, needs other files, lacks the tensor, or
            takes another input than is stated; the sentence says which it has.
        MissingExtraError: E_EXTRA.
    """

    def __init__(
        self, content: bytes, name: str, *, output: str, preprocessing: FacePreprocessing
    ) -> None:
        self._made_of = content, name, output, preprocessing
        model = parse_onnx(content, name)
        _show(model, output, name)
        self._name, self._output = name, output
        try:
            self._session = open_session(model.SerializeToString(), PURPOSE)
        except AffectScopeError:
            raise
        except Exception as error:  # its errors have no class in common
            raise refusal(name, _reason(error)) from error
        self._input, self._type, self._one_by_one = self._checked_input(preprocessing)

    def __call__(self, inputs: Tensor) -> Tensor:
        """(N, C, S, S) or (N, S, S, C) -> (N, F)."""
        values = inputs.numpy()
        if self._type is np.uint8:
            values = values.round()
        parts = np.split(values, len(values)) if self._one_by_one else [values]
        try:
            found = [
                self._session.run(
                    [self._output], {self._input: np.ascontiguousarray(part, dtype=self._type)}
                )[0]
                for part in parts
            ]
        except Exception as error:  # its errors have no class in common
            raise refusal(self._name, _reason(error)) from error
        features = np.concatenate(found).astype(np.float32)
        return torch.from_numpy(features.reshape(len(features), -1))

    def __reduce__(self) -> tuple[Any, ...]:
        """A session cannot travel to another process; what it is made of can."""
        return _remade, self._made_of

    def _checked_input(self, preprocessing: FacePreprocessing) -> tuple[str, Any, bool]:
        """The input's name and type, and whether it takes one picture at a time."""
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(ascii(each.name) for each in inputs)
            raise refusal(self._name, f"it has {len(inputs)} inputs ({names}), not one")
        [taken] = inputs
        if taken.type not in _TYPES:
            raise refusal(self._name, f"its input is {taken.type}, not one of {', '.join(_TYPES)}")
        if taken.type == "tensor(uint8)" and not preprocessing.keeps_values:
            raise refusal(
                self._name,
                "its input is uint8: white must be 255.0, mean [0.0, 0.0, 0.0] and deviation "
                "[1.0, 1.0, 1.0]",
            )
        rows, *shape = taken.shape or [None]
        stated = preprocessing.shape
        fits = len(shape) == 3 and all(
            not isinstance(has, int) or has == wanted
            for has, wanted in zip(shape, stated, strict=True)
        )
        if not fits or (isinstance(rows, int) and rows != 1):
            raise refusal(
                self._name,
                f"its input is {tuple(taken.shape)}, and any number or one of {stated} is stated "
                "by side and layout",
            )
        return taken.name, _TYPES[taken.type], rows == 1


def _remade(
    content: bytes, name: str, output: str, preprocessing: FacePreprocessing
) -> OnnxNetwork:
    return OnnxNetwork(content, name, output=output, preprocessing=preprocessing)


def parse_onnx(content: bytes, name: str) -> Any:
    """The ``onnx.ModelProto`` of a file's bytes.

    Raises:
        ModelError: E_FACE_FILE where it is none, or its weights lie in other files.
        MissingExtraError: E_EXTRA.
    """
    onnx = require("onnx", PURPOSE, "export")
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's, of which there are several kinds
        raise refusal(name, "it is no ONNX file") from error
    if not model.graph.node:
        raise refusal(name, "it is no ONNX file")
    functions = (node for function in model.functions for node in function.node)
    tensors = [*_tensors_of_graph(model.graph), *_tensors_of_nodes(functions)]
    if any(tensor.data_location == tensor.EXTERNAL for tensor in tensors):
        raise refusal(name, "its weights lie in other files; export it with them inside")
    return model


def classifier_input(model: Any, name: str) -> str:
    """The tensor that the last layer, a fully connected one, is fed.

    Raises:
        ModelError: E_FACE_FILE where the last layer is another.
    """
    last = model.graph.node[-1]
    if last.op_type != "Gemm":
        raise refusal(name, f"its last layer is {last.op_type}, not the fully connected one (Gemm)")
    return str(last.input[0])


def refusal(name: str, reason: str) -> ModelError:
    """The file cannot be used, and why."""
    return ModelError("E_FACE_FILE", f"{shown(Path(name))} cannot be used: {reason}.", _HOW)


def _show(model: Any, output: str, name: str) -> None:
    """Make the tensor the only output, in place."""
    graph = model.graph
    outputs = [each.name for each in graph.output]
    inner = [each for node in graph.node for each in node.output if each]
    if output not in (*outputs, *inner):
        last = [each for each in inner if each not in outputs][-_MOST_SHOWN:]
        raise refusal(
            name,
            f"it has no tensor {output!a}; its outputs are {', '.join(map(ascii, outputs))}, and "
            f"the last inside are {', '.join(map(ascii, last)) or 'none'}",
        )
    for place in reversed(range(len(outputs))):
        if outputs[place] != output:
            del graph.output[place]
    if not graph.output:
        graph.output.add().name = output


def _tensors_of_graph(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _tensors_of_nodes(graph.node)


def _tensors_of_nodes(nodes: Any) -> Iterator[Any]:
    for attribute in (each for node in nodes for each in node.attribute):
        yield from (attribute.t, *attribute.tensors)
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        for graph in (attribute.g, *attribute.graphs):
            yield from _tensors_of_graph(graph)


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1].strip(" .")[:200]
