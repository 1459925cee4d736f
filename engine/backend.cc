// What a backend and a prepared convolution do unless they say otherwise.
#include "engine/backend.h"

#include <chrono>
#include <utility>

#include "engine/error.h"

namespace inocula {

namespace {

class HostStopwatch final : public Stopwatch {
 public:
  void begin() override { begin_ = Clock::now(); }
  void end() override { laps_.push_back(std::chrono::duration<double>(Clock::now() - begin_).count()); }
  std::vector<double> laps() override { return std::exchange(laps_, {}); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin_;
  std::vector<double> laps_;
};

}  // namespace

std::unique_ptr<Stopwatch> Backend::make_stopwatch() const {
  return std::make_unique<HostStopwatch>();
}

std::string ConvWindow::to_string() const {
  const auto sides = [](std::int64_t h, std::int64_t w) {
    return std::to_string(h) + "x" + std::to_string(w);
  };
  std::string text =
      sides(kernel_h, kernel_w) + ", stride " + sides(stride_h, stride_w) + ", pad " + sides(pad_h, pad_w);
  if (dilation_h != 1 || dilation_w != 1) text += ", dilation " + sides(dilation_h, dilation_w);
  return text;
}

Launch PreparedConv::bind_weights(const float*, const float*, void*, void*) {
  fail(ErrorKind::internal, "PreparedConv::bind_weights: this pass reads no weights");
}

}  // namespace inocula
