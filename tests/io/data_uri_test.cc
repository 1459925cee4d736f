// Base64 by its standard's examples, PNG by what libspng reads back.
#include "io/data_uri.h"

#include <doctest/doctest.h>
#include <spng.h>

#include <string>
#include <vector>

#include "engine/error.h"

using namespace inocula;

namespace {

std::string encoded(const std::string& text) {
  return base64({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

std::vector<std::uint8_t> decoded(const std::string& text) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<std::uint8_t> bytes;
  std::uint32_t group = 0;
  int bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    group = group << 6 | static_cast<std::uint32_t>(digits.find(c));
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push_back(static_cast<std::uint8_t>(group >> bits));
  }
  return bytes;
}

struct Picture {
  spng_ihdr header{};
  std::vector<std::uint8_t> pixels;
};

Picture read_back(const std::string& uri) {
  const std::string begin = "data:image/png;base64,";
  REQUIRE(uri.starts_with(begin));
  const std::vector<std::uint8_t> png = decoded(uri.substr(begin.size()));
  Picture p;
  spng_ctx* context = spng_ctx_new(0);
  REQUIRE(spng_set_png_buffer(context, png.data(), png.size()) == 0);
  REQUIRE(spng_get_ihdr(context, &p.header) == 0);
  std::size_t size = 0;
  REQUIRE(spng_decoded_image_size(context, SPNG_FMT_PNG, &size) == 0);
  p.pixels.resize(size);
  REQUIRE(spng_decode_image(context, p.pixels.data(), size, SPNG_FMT_PNG, 0) == 0);
  spng_ctx_free(context);
  return p;
}

}  // namespace

TEST_CASE("data URI: base64 by the examples of RFC 4648") {
  CHECK(encoded("").empty());
  CHECK(encoded("f") == "Zg==");
  CHECK(encoded("fo") == "Zm8=");
  CHECK(encoded("foo") == "Zm9v");
  CHECK(encoded("foob") == "Zm9vYg==");
  CHECK(encoded("fooba") == "Zm9vYmE=");
  CHECK(encoded("foobar") == "Zm9vYmFy");
  CHECK(encoded("\xff\xfe\xfd") == "//79");
}

TEST_CASE("data URI: grey and colour come back as they were") {
  for (const std::int64_t channels : {1, 3}) {
    std::vector<std::uint8_t> pixels;
    for (std::int64_t i = 0; i < 5 * 7 * channels; ++i) pixels.push_back(static_cast<std::uint8_t>(37 * i));
    const Picture p = read_back(png_data_uri(pixels, 5, 7, channels));
    CHECK(p.header.height == 5);
    CHECK(p.header.width == 7);
    CHECK(p.pixels == pixels);
  }
}

TEST_CASE("data URI: of two channels the first is shown, of five the third, and sizes must fit") {
  CHECK(read_back(png_data_uri(std::vector<std::uint8_t>{1, 9, 2, 9, 3, 9, 4, 9}, 2, 2, 2)).pixels ==
        std::vector<std::uint8_t>{1, 2, 3, 4});
  CHECK(read_back(png_data_uri(std::vector<std::uint8_t>{9, 9, 1, 9, 9, 9, 9, 2, 9, 9}, 1, 2, 5)).pixels ==
        std::vector<std::uint8_t>{1, 2});
  CHECK_THROWS_AS(png_data_uri(std::vector<std::uint8_t>(5), 2, 2, 1), Error);
  CHECK_THROWS_AS(png_data_uri({}, 0, 2, 1), Error);
}
