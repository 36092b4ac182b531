"""Banned from the package: calls that turn data into programs, and traces of unfinished work."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path for room in ("src", "benchmarks") for path in (ROOT / room).rglob("*.py") if path.is_file()
)

BANNED = {
    "pickle.load",
    "pickle.loads",
    "cPickle.load",
    "dill.load",
    "dill.loads",
    "cloudpickle.load",
    "cloudpickle.loads",
    "joblib.load",
    "marshal.load",
    "marshal.loads",
    "shelve.open",
    "pandas.read_pickle",
    "pd.read_pickle",
    "torch.load",
    "yaml.load",
    "yaml.unsafe_load",
    "os.system",
    "os.popen",
    "eval",
    "exec",
}
BANNED_METHODS = {"extractall"}
BANNED_KEYWORDS = {"shell", "allow_pickle"}
BANNED_IMPORTS = {"cv2"}
ALLOWED = {("src/affectscope/models/imagenet_weights.py", "torch.load"): 1}
"""The one place: published weights whose sha256 matched, with weights_only=True."""

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
MACHINE_PATH = re.compile(r"""(?<![\w.])(/home/|/root/|/work/|/Users/|/mnt/|[A-Za-z]:\\\\?Users)""")


def dotted(node: ast.expr) -> str:
    """ "a.b.c" of an expression, "" where it is no plain name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else f"?.{node.attr}"
    return ""


def banned_uses(text: str) -> list[str]:
    """Every banned call, keyword and import of a file, whatever it was imported as."""
    tree = ast.parse(text)
    aliases: dict[str, str] = {}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                aliases[name.asname or name.name] = name.name
                found += [name.name] * (name.name.split(".")[0] in BANNED_IMPORTS)
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                aliases[name.asname or name.name] = f"{node.module}.{name.name}"
            found += [str(node.module)] * (str(node.module).split(".")[0] in BANNED_IMPORTS)
    for node in ast.walk(tree):
        # a name is banned wherever it is read: passing pickle.load on is as bad as calling it
        if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
            first, _, rest = dotted(node).partition(".")
            full = ".".join(part for part in (aliases.get(first, first), rest) if part)
            found += [full] * (full in BANNED or full.split(".")[-1] in BANNED_METHODS)
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                harmless = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                found += [str(keyword.arg)] * (keyword.arg in BANNED_KEYWORDS and not harmless)
    return found


@pytest.mark.parametrize(
    ("text", "use"),
    [
        ("import pickle\npickle.load(f)", "pickle.load"),
        ("import pickle as p\nx = p.loads", "pickle.loads"),
        ("from pickle import loads as read\nread(b)", "pickle.loads"),
        ("import torch\ntorch.load(path, weights_only=True)", "torch.load"),
        ("import yaml\nyaml.load(f)", "yaml.load"),
        ("archive.extractall(folder)", "?.extractall"),
        ("tarfile.open(x).extractall()", "?.extractall"),
        ("eval(text)", "eval"),
        ("exec(text)", "exec"),
        ("import subprocess\nsubprocess.run(c, shell=True)", "shell"),
        ("subprocess.run(c, shell=flag)", "shell"),
        ("np.load(path, allow_pickle=True)", "allow_pickle"),
        ("import os\nos.system(c)", "os.system"),
        ("import cv2", "cv2"),
        ("from cv2 import imread", "cv2"),
    ],
)
def test_the_search_finds(text: str, use: str) -> None:
    assert [found.replace("archive.", "?.") for found in banned_uses(text)] == [use]


@pytest.mark.parametrize(
    "text",
    [
        "model.eval()",
        "import numpy as np\nnp.load(path, allow_pickle=False)",
        "import json\njson.loads(text)",
        "from safetensors.torch import load\nload(content)",
        "subprocess.run(command, shell=False)",
        "yaml.safe_load(f)",
    ],
)
def test_the_search_leaves_alone(text: str) -> None:
    assert banned_uses(text) == []


def test_F15_no_source_uses_what_is_banned() -> None:
    assert len(SOURCES) > 20
    found = Counter(
        (path.relative_to(ROOT).as_posix(), use)
        for path in SOURCES
        for use in banned_uses(path.read_text())
    )
    assert dict(found) == ALLOWED


def test_the_one_torch_load_is_of_weights_only() -> None:
    (place,) = {path for path, _ in ALLOWED}
    calls = [
        node
        for node in ast.walk(ast.parse((ROOT / place).read_text()))
        if isinstance(node, ast.Call) and dotted(node.func) == "torch.load"
    ]
    keywords = {keyword.arg: keyword.value for call in calls for keyword in call.keywords}
    assert len(calls) == 1
    assert ast.literal_eval(keywords["weights_only"]) is True


@pytest.mark.parametrize("pattern", [UNFINISHED, MACHINE_PATH], ids=["unfinished", "machine paths"])
def test_no_source_holds(pattern: re.Pattern[str]) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in SOURCES
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if pattern.search(line)
    ]
    assert found == []


def test_the_patterns_find() -> None:
    assert UNFINISHED.search("x = 1  # TODO later")
    assert MACHINE_PATH.search('open("/home/me/data")')
    assert not MACHINE_PATH.search("https://example.org/home/page")


@pytest.mark.parametrize("module", ["affectscope", "affectscope.cli"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    heavy = ("torch", "neurokit2", "mediapipe", "monai", "av", "matplotlib", "scipy", "pandas")
    script = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr
