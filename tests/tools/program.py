"""Running the program under test, and making small data sets without any package."""

import ast
import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import zipfile

PROGRAM = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ""

failures = []


def run(*arguments, timeout=300, **more):
    """The finished process of `inocula` with these arguments; text in and out."""
    return subprocess.run([PROGRAM, *map(str, arguments)], timeout=timeout, text=True, capture_output=True, **more)


def expect(condition, message):
    """Counts a failure instead of stopping, so that one run tells all of them."""
    if not condition:
        failures.append(message)
        print("FAILED:", message)


def refuse(what, code, *arguments, output=None, mention=(), **more):
    """The command must end with `code`, one line on standard error that mentions each text, and no output file."""
    done = run(*arguments, **more)
    lines = done.stderr.splitlines()
    expect(done.returncode == code, f"{what}: exit code {done.returncode}, expected {code}: {done.stderr.strip()!r}")
    expect(len(lines) == 1, f"{what}: {len(lines)} lines on standard error, expected 1: {done.stderr!r}")
    for text in mention:
        expect(text in done.stderr, f"{what}: {done.stderr.strip()!r} does not mention {text!r}")
    if output is not None:
        expect(not os.path.lexists(output), f"{what}: left {output} behind")


def finish():
    print(f"{len(failures)} failures")
    sys.exit(1 if failures else 0)


def npy(dtype, shape, data, version=1):
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape!r}, }}".encode()
    length_bytes = 2 if version == 1 else 4
    total = 6 + 2 + length_bytes + len(header) + 1
    header += b" " * (-total % 64) + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + data


def npz(path, arrays, compression=zipfile.ZIP_STORED):
    """arrays: name -> (dtype, shape, bytes)"""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, (dtype, shape, data) in arrays.items():
            archive.writestr(name + ".npy", npy(dtype, shape, data))


def image_set(count=24, size=16, channels=0, classes=2, splits=("train", "val", "test"), labels=None):
    """A data set whose class is the side on which it is bright; channels 0: grey (N, H, W)."""
    arrays = {}
    for split in splits:
        pixels, marks = bytearray(), bytearray()
        for i in range(count):
            label = i % classes
            marks.append(label if labels is None else labels[i % len(labels)])
            for _ in range(size):
                for x in range(size):
                    bright = x * classes // size == label
                    pixels += bytes([200 if bright else 40 + (7 * i + 3 * x) % 30]) * max(channels, 1)
        shape = (count, size, size) if channels == 0 else (count, size, size, channels)
        arrays[split + "_images"] = ("|u1", shape, bytes(pixels))
        arrays[split + "_labels"] = ("|u1", (count, 1), bytes(marks))
    return arrays


def read_npz(path):
    """name -> (dtype, shape, bytes)"""
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            data = archive.read(member)
            begin = 10 if data[6] == 1 else 12
            length = int.from_bytes(data[8:begin], "little")
            header = ast.literal_eval(data[begin:begin + length].decode())
            arrays[member.removesuffix(".npy")] = (header["descr"], header["shape"], data[begin + length:])
    return arrays


def read_bytes(*path):
    """What the file of these folders and this name holds."""
    with open(os.path.join(*path), "rb") as file:
        return file.read()


def read_json(path):
    with open(path) as file:
        return json.load(file)


def read_tensors(path):
    """name -> (type, shape, bytes) of a safetensors file."""
    data = read_bytes(path)
    values = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:values])
    header.pop("__metadata__", None)
    slices = {name: [values + at for at in e["data_offsets"]] for name, e in header.items()}
    return {name: (e["dtype"], e["shape"], data[slices[name][0]:slices[name][1]]) for name, e in header.items()}


def write_tensors(path, tensors):
    """A safetensors file from what read_tensors gives."""
    header, values = {}, b""
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(values), len(values) + len(data)]}
        values += data
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + values)


def scratch():
    """A temporary folder that is removed at exit."""
    return tempfile.TemporaryDirectory(prefix="inocula-test-")


def npz_bytes(arrays):
    buffer = io.BytesIO()
    npz(buffer, arrays)
    return buffer.getvalue()
