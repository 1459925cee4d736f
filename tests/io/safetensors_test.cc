// Safetensors: headers that lie, damage, and what we write ourselves.
#include "io/safetensors.h"

#include <cmath>

#include "tests/io/files.h"

namespace inocula {
namespace {

std::string file_of(const std::string& header, const std::string& values) {
  std::string length;
  for (int i = 0; i < 8; ++i) length += static_cast<char>(header.size() >> (8 * i));
  return length + header + values;
}

TEST_CASE("safetensors: what is written is read back, aligned and always in the same bytes") {
  const TempFolder folder;
  const std::vector<float> weight{1.5f, -2, 3};
  const std::vector<std::int64_t> counter{7};
  const std::vector<std::uint8_t> odd{1, 2, 3};
  const ArrayViews tensors{{"conv1.weight", view_of(weight, {3, 1})},
                           {"bn1.num_batches_tracked", view_of(counter, {})},
                           {"a \"quoted\" \xC3\xA4", view_of(odd, {3})},
                           {"empty", view_of(std::vector<float>{}, {0, 5})}};
  write_safetensors(folder / "a", tensors, {{"format", "pt"}});
  write_safetensors(folder / "b", tensors, {{"format", "pt"}});
  const std::string bytes = get_file(folder / "a");
  CHECK(bytes == get_file(folder / "b"));
  CHECK((static_cast<unsigned char>(bytes[0]) + 256u * static_cast<unsigned char>(bytes[1])) % 8 == 0);

  const Safetensors file = read_safetensors(folder / "a");
  CHECK(file.metadata == std::map<std::string, std::string>{{"format", "pt"}});
  REQUIRE(file.tensors.size() == tensors.size());
  for (const auto& [name, view] : tensors) {
    const Array& array = file.tensors.at(name);
    CHECK(array.type == view.type);
    CHECK(array.shape == view.shape);
    CHECK(std::equal(array.bytes.begin(), array.bytes.end(), view.bytes.begin(), view.bytes.end()));
  }
  CHECK(values_of<std::int64_t>(file.tensors.at("bn1.num_batches_tracked"), "x")[0] == 7);
  CHECK_FAILS(ErrorKind::bad_data, "x: holds i64, expected f32",
              values_of<float>(file.tensors.at("bn1.num_batches_tracked"), "x"));
}

TEST_CASE("safetensors: every element type of the format is known by its name") {
  const TempFolder folder;
  for (const std::string name :
       {"BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64", "F16", "BF16", "F32", "F64"}) {
    const std::string digits = name.substr(
        name.find_first_of("0123456789") == std::string::npos ? 0 : name.find_first_of("0123456789"));
    const std::size_t bytes = name == "BOOL" ? 1 : std::stoul(digits) / 8;
    put_file(folder / "a", file_of("{\"x\":{\"dtype\":\"" + name + "\",\"shape\":[2],\"data_offsets\":[0," +
                                       std::to_string(2 * bytes) + "]}}",
                                   std::string(2 * bytes, '\1')));
    const Safetensors file = read_safetensors(folder / "a");
    CHECK(element_bytes(file.tensors.at("x").type) == bytes);
    write_safetensors(folder / "b", views_of(file.tensors));
    CHECK(get_file(folder / "b").find("\"" + name + "\"") != std::string::npos);
  }
}

TEST_CASE("safetensors: headers that lie are refused") {
  const TempFolder folder;
  const auto refused = [&](const std::string& header, const std::string& part) {
    put_file(folder / "a", file_of(header, "12345678"));
    CHECK_FAILS(ErrorKind::bad_data, part, read_safetensors(folder / "a"));
  };
  const auto entry = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return "{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
  };
  const std::string half1 = entry("U8", "[4]", "[0,4]"), half2 = entry("U8", "[4]", "[4,8]");
  refused("{\"x\":" + half1 + ",\"x\":" + half2 + "}", "'x' appears twice");
  refused("{\"x\":" + half1 + "}", "has 8 bytes of values, expected 4");
  refused("{\"x\":" + half2 + "}", "begins at byte 4 of the values, expected 0");
  refused("{\"x\":" + half1 + ",\"y\":" + entry("U8", "[5]", "[3,8]") + "}",
          "begins at byte 3 of the values, expected 4");
  refused("{\"x\":" + entry("U8", "[16]", "[0,16]") + "}", "has 8 bytes of values, expected 16");
  refused("{\"x\":" + entry("F32", "[3]", "[0,8]") + "}", "expected 12 bytes for shape (3,) of f32");
  refused("{\"x\":" + entry("U8", "[8]", "[8,0]") + "}", "occupies bytes 8 to 0");
  refused("{\"x\":" + entry("F64", "[4294967296,4294967296]", "[0,8]") + "}", "limit");
  refused("{\"x\":" + entry("U8", "[18446744073709551608]", "[0,8]") + "}", "negative extent");
  refused("{\"x\":" + entry("U8", "[-8]", "[0,8]") + "}", "list of whole numbers");
  refused("{\"x\":" + entry("U8", "[8.0]", "[0,8]") + "}", "list of whole numbers");
  refused("{\"x\":" + entry("U8", "[8]", "[0,8,9]") + "}", "two numbers");
  refused("{\"x\":" + entry("U8", "[1,1,1,1,1,1,1,1,8]", "[0,8]") + "}", "9 axes");
  refused("{\"x\":" + entry("F8_E4M3", "[8]", "[0,8]") + "}", "'dtype' is not one of");
  refused("{\"x\":{\"dtype\":\"U8\",\"shape\":[8]}}", "exactly dtype, shape and data_offsets");
  refused("{\"x\":{\"dtype\":\"U8\",\"shape\":[8],\"offsets\":[0,8]}}", "data_offsets");
  refused("{\"x\":7}", "exactly dtype, shape and data_offsets");
  refused("{\"__metadata__\":{\"a\":1},\"x\":" + entry("U8", "[8]", "[0,8]") + "}", "'a' is not a text");
  refused("{\"__metadata__\":{\"a\":\"" + std::string(70000, 'm') +
              "\"},\"x\":" + entry("U8", "[8]", "[0,8]") + "}",
          "70001 bytes");
  refused(" {\"x\":" + entry("U8", "[8]", "[0,8]") + "}", "does not begin with '{'");
  refused("{\"x\":" + entry("U8", "[8]", "[0,8]"), "malformed JSON");
  refused("{\"\xff\":" + entry("U8", "[8]", "[0,8]") + "}", "malformed JSON");
  refused("{\"x\":" + std::string(70, '[') + std::string(70, ']') + "}", "deeper than 64");
  refused("{\"x\":1e999}", "out of range");
  std::string many = "{";
  for (int i = 0; i < 65537; ++i) many += "\"" + std::to_string(i) + "\":0,";
  refused(many + "\"x\":" + entry("U8", "[8]", "[0,8]") + "}", "65538 tensors");
  put_file(folder / "a", std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10));
  CHECK_FAILS(ErrorKind::bad_data, "header of 18446744073709551615 bytes, expected at most 2",
              read_safetensors(folder / "a"));
  put_file(folder / "a", file_of("{}" + std::string(9 << 20, ' '), ""));
  CHECK_FAILS(ErrorKind::bad_data, "expected at most 8388608", read_safetensors(folder / "a"));
}

TEST_CASE("safetensors: cut short anywhere it fails") {
  const TempFolder folder;
  const std::vector<float> weight{1.5f, -2, 3};
  write_safetensors(folder / "whole", {{"w", view_of(weight, {3})}, {"v", view_of(weight, {1, 3})}});
  const std::string whole = get_file(folder / "whole");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    put_file(folder / "cut", whole.substr(0, size));
    CHECK_FAILS(ErrorKind::bad_data, "cut", read_safetensors(folder / "cut"));
  }
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {  // no checksum here, but never a crash
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    put_file(folder / "damaged", damaged);
    const auto failure = failure_of([&] { read_safetensors(folder / "damaged"); });
    if (failure) CHECK(failure->kind == ErrorKind::bad_data);
  }
}

TEST_CASE("safetensors: NaN and infinity are found in every floating type") {
  const std::vector<float> floats{0, -1e38f, INFINITY};
  const std::vector<double> doubles{0, std::nan("")};
  CHECK(find_non_finite(view_of(floats, {3})) == 2);
  CHECK(find_non_finite(view_of(doubles, {2})) == 1);
  const Array half{ElementType::f16, {3}, {0xFF, 0x7B, 0x00, 0xFC, 0, 0}};  // 65504, -infinity
  const Array brain{ElementType::bf16, {2}, {0x7F, 0x7F, 0x81, 0xFF}};      // 3.4e38, NaN
  const Array whole{ElementType::i32, {1}, {0xFF, 0xFF, 0xFF, 0x7F}};
  CHECK(find_non_finite(view_of(half)) == 1);
  CHECK(find_non_finite(view_of(brain)) == 1);
  CHECK_FALSE(find_non_finite(view_of(whole)).has_value());
}

TEST_CASE("safetensors: a full disk is an error and leaves nothing") {
  const TempFolder folder;
  const std::vector<float> weight(10000, 1);
  const FullDisk full(3000);
  CHECK_FAILS(ErrorKind::io, "a: writing failed",
              write_safetensors(folder / "a", {{"w", view_of(weight, {10000})}}));
  CHECK(folder.names().empty());
}

}  // namespace
}  // namespace inocula
