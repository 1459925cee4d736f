"""Reads and writes safetensors files, in nothing but struct, json and numpy."""
import json
import struct

import numpy

TYPES = {"F32": "<f4", "F64": "<f8", "I64": "<i8"}


def read(path):
    """{name: array} of one file."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        values = file.read()
    header.pop("__metadata__", None)
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        arrays[name] = numpy.frombuffer(values[begin:end], TYPES[entry["dtype"]]).reshape(entry["shape"])
    return arrays


def write(path, arrays):
    """Writes {name: array}; the arrays follow each other in the order of the dictionary."""
    names = {numpy.dtype(code): name for name, code in TYPES.items()}
    header, values, end = {}, [], 0
    for name, array in arrays.items():
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": names[array.dtype], "shape": array.shape, "data_offsets": [begin, end]}
        values.append(array.tobytes())
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(values))
