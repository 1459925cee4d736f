// libspng writes, base64 wraps.
#include "io/data_uri.h"

#include <spng.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "engine/error.h"

namespace inocula {

namespace {

struct FreeContext {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};
struct FreeBuffer {
  void operator()(void* buffer) const { std::free(buffer); }
};

void require(int error, const char* what) {
  if (error != 0) fail(ErrorKind::io, "PNG: ", what, ": ", spng_strerror(error));
}

std::vector<std::uint8_t> middle_channel(std::span<const std::uint8_t> pixels, std::int64_t channels) {
  std::vector<std::uint8_t> grey;
  for (auto i = static_cast<std::size_t>((channels - 1) / 2); i < pixels.size();
       i += static_cast<std::size_t>(channels))
    grey.push_back(pixels[i]);
  return grey;
}

}  // namespace

std::string base64(std::span<const std::uint8_t> bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t here = bytes.size() - i < 3 ? bytes.size() - i : 3;
    std::uint32_t group = 0;
    for (std::size_t b = 0; b < 3; ++b) group = group << 8 | (b < here ? bytes[i + b] : 0u);
    for (std::size_t d = 0; d < 4; ++d) text += d <= here ? kDigits[group >> (18 - 6 * d) & 63] : '=';
  }
  return text;
}

std::string png_data_uri(std::span<const std::uint8_t> pixels, std::int64_t height, std::int64_t width,
                         std::int64_t channels) {
  if (height < 1 || width < 1 || channels < 1 ||
      pixels.size() != static_cast<std::size_t>(height * width * channels))
    fail(ErrorKind::internal, "PNG: ", pixels.size(), " bytes, expected (", height, ", ", width, ", ",
         channels, ")");
  const bool colour = channels == 3;
  if (!colour && channels != 1) return png_data_uri(middle_channel(pixels, channels), height, width, 1);
  const std::unique_ptr<spng_ctx, FreeContext> context(spng_ctx_new(SPNG_CTX_ENCODER));
  if (!context) fail(ErrorKind::io, "PNG: no memory for an encoder");
  require(spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1), "buffer");
  spng_ihdr header{};
  header.width = static_cast<std::uint32_t>(width);
  header.height = static_cast<std::uint32_t>(height);
  header.bit_depth = 8;
  header.color_type = colour ? SPNG_COLOR_TYPE_TRUECOLOR : SPNG_COLOR_TYPE_GRAYSCALE;
  require(spng_set_ihdr(context.get(), &header), "header");
  require(spng_encode_image(context.get(), pixels.data(), pixels.size(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE),
          "image");
  std::size_t bytes = 0;
  int error = 0;
  const std::unique_ptr<void, FreeBuffer> png(spng_get_png_buffer(context.get(), &bytes, &error));
  require(error, "buffer");
  return "data:image/png;base64," + base64({static_cast<const std::uint8_t*>(png.get()), bytes});
}

}  // namespace inocula
