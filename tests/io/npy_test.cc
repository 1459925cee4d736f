// The .npy header: what is read, what is refused, and that nothing is taken on trust.
#include "io/npy.h"

#include <cstring>

#include "tests/io/files.h"

namespace inocula {
namespace {

Array parse(const std::string& file) {
  std::size_t at = 0;
  const auto read = [&](void* out, std::uint64_t bytes) {
    if (bytes > file.size() - at) fail(ErrorKind::bad_data, "a.npy: ends at byte ", file.size());
    if (bytes > 0) std::memcpy(out, file.data() + at, bytes);
    at += bytes;
  };
  return read_npy(read, file.size(), "a.npy");
}

std::string header(const std::string& descr, const std::string& order, const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

std::string text_of(const Array& array) {
  return {array.bytes.begin(), array.bytes.end()};
}

TEST_CASE("npy: every element type, format version and spelling of the header") {
  const struct {
    const char* descr;
    ElementType type;
  } kTypes[] = {{"|b1", ElementType::boolean}, {"|u1", ElementType::u8},  {"|i1", ElementType::i8},
                {"<u2", ElementType::u16},     {"<i2", ElementType::i16}, {"<u4", ElementType::u32},
                {"<i4", ElementType::i32},     {"<u8", ElementType::u64}, {"<i8", ElementType::i64},
                {"<f2", ElementType::f16},     {"<f4", ElementType::f32}, {"<f8", ElementType::f64}};
  for (const auto& entry : kTypes) {
    const std::string values(3 * element_bytes(entry.type), '\1');
    for (const int version : {1, 2, 3}) {
      const Array array = parse(npy_file(header(entry.descr, "False", "(3,)"), values, version));
      CHECK(array.type == entry.type);
      CHECK(array.shape == std::vector<std::int64_t>{3});
      CHECK(text_of(array) == values);
    }
  }
  CHECK(parse(npy_file("{\"shape\":(2,1),\"descr\":\"|u1\",\"fortran_order\":False}", "ab")).shape ==
        std::vector<std::int64_t>{2, 1});
  CHECK(text_of(parse(npy_file(header("|u1", "False", "()"), "x"))) == "x");
  CHECK(parse(npy_file(header("|u1", "False", "(0, 5)"), "")).bytes.empty());
}

TEST_CASE("npy: big-endian values and Fortran order come out as this machine's") {
  const std::string two("\1\2\3\4", 4);
  CHECK(text_of(parse(npy_file(header(">u2", "False", "(2,)"), two))) == std::string("\2\1\4\3", 4));
  CHECK(text_of(parse(npy_file(header(">u1", "False", "(4,)"), two))) == two);
  // Element (i, j, k) of a (2, 3, 4) array holds its own place in C order.
  std::string fortran;
  for (int k = 0; k < 4; ++k)
    for (int j = 0; j < 3; ++j)
      for (int i = 0; i < 2; ++i) fortran += static_cast<char>((i * 3 + j) * 4 + k), fortran += 'x';
  const Array array = parse(npy_file(header("<u2", "True", "(2, 3, 4)"), fortran));
  for (std::size_t i = 0; i < 24; ++i) {
    CHECK(array.bytes[2 * i] == i);
    CHECK(array.bytes[2 * i + 1] == 'x');
  }
}

TEST_CASE("npy: what is no plain array is refused") {
  const auto refused = [](const std::string& text, const std::string& part) {
    CHECK_FAILS(ErrorKind::bad_data, part, parse(npy_file(text, "12345678")));
  };
  refused(header("|O", "False", "(1,)"), "programs and never read");
  refused("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", "records");
  for (const char* descr : {"<u3", "|u2", "<c8", "u1", "", "=f4", "<f16", "|S8", "<U2", "<M8[ns]"}) {
    refused(header(descr, "False", "(1,)"), "element type");
  }
  for (const char* shape : {"(8)", "8", "(-8,)", "(8.0,)", "(8,", "(,)", "(8 1)", "('8',)", "[8]", "(8,,)",
                            "(1,1,1,1,1,1,1,1,8)", "(99999999999999999999,)", "(8, )x"}) {
    refused(header("|u1", "False", shape), "malformed");
  }
  refused(header("|u1", "None", "(8,)"), "True or False");
  refused("{'descr': '|u1', 'shape': (8,)}", "the keys descr, fortran_order and shape");
  refused("{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (8,)}", "once each");
  refused("{'descr': '|u1', 'fortran_order': False, 'shape': (8,), 'more': 1}", "once each");
  refused("{'descr': '|u1', 'fortran_order': False, 'shape': (8,)} or __import__('os')", "nothing after");
  refused("{'de\\x73cr': '|u1', 'fortran_order': False, 'shape': (8,)}", "plain text");
  refused("", "'{'");
  CHECK_FAILS(ErrorKind::bad_data, "version 4.0",
              parse(npy_file(header("|u1", "False", "(8,)"), "12345678", 4)));
  CHECK_FAILS(ErrorKind::bad_data, "mark", parse("\x93NUMPX" + npy_file("", "").substr(6)));
}

TEST_CASE("npy: claimed sizes are compared with the file before memory is taken") {
  const std::string huge = npy_file(header("|u1", "False", "(34359738368,)"), "");
  CHECK(huge.size() < 90);
  CHECK_FAILS(ErrorKind::bad_data, "holds 0 bytes of values, expected 34359738368", parse(huge));
  CHECK_FAILS(ErrorKind::bad_data, "limit",
              parse(npy_file(header("<f8", "False", "(4294967296, 4294967296)"), "12345678")));
  CHECK_FAILS(ErrorKind::bad_data, "limit",
              parse(npy_file(header("|u1", "False", "(9223372036854775807, 9223372036854775807, 0)"), "")));
  CHECK_FAILS(ErrorKind::bad_data, "holds 9 bytes",
              parse(npy_file(header("|u1", "False", "(8,)"), "123456789")));
  // A header length that only a 4 GiB file could have.
  CHECK_FAILS(ErrorKind::bad_data, "header of", parse(std::string("\x93NUMPY\2\0\xff\xff\xff\xff{}", 14)));
  CHECK_FAILS(ErrorKind::bad_data, "header of 70000", parse(npy_file(std::string(70000, ' '), "", 2)));
}

TEST_CASE("npy: our own header is read back, aligned to 64 bytes") {
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{}, {5}, {2, 3}, {1, 2, 3, 4, 5, 6, 7, 8}}) {
    const Array array = make_array(ElementType::i16, shape, "test");
    const std::string text = npy_header(view_of(array));
    CHECK(text.size() % 64 == 0);
    const Array back = parse(text + text_of(array));
    CHECK(back.shape == shape);
    CHECK(back.type == ElementType::i16);
  }
  CHECK_FAILS(ErrorKind::internal, "bf16", npy_header({ElementType::bf16, {}, {}}));
}

TEST_CASE("npy: cut short anywhere or with any bit turned it fails or reads the same values") {
  for (const int version : {1, 2}) {
    const std::string file = npy_file(header("<i4", "False", "(2, 2)"), "0123456789abcdef", version);
    for (std::size_t size = 0; size < file.size(); ++size) {
      CHECK_FAILS(ErrorKind::bad_data, "a.npy", parse(file.substr(0, size)));
    }
    for (std::size_t bit = 0; bit < 8 * (file.size() - 16); ++bit) {
      std::string damaged = file;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
      std::size_t bytes = 16;
      const auto failure = failure_of([&] { bytes = parse(damaged).bytes.size(); });
      CHECK(bytes == 16);
      if (failure) CHECK(failure->kind == ErrorKind::bad_data);
    }
  }
}

}  // namespace
}  // namespace inocula
