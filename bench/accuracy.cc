// How far a trained network's logits and input gradients are from double precision, by each way of
// convolution.
//
// bench_accuracy MODEL DATA [IMAGES]: a run folder or .safetensors, a data set, and how many test images.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/exits.h"
#include "engine/error.h"
#include "tools/image_pass.h"
#include "tools/subject.h"

namespace inocula::bench {

namespace {

/// max |a - b| over max |b|; infinite where a number is not finite.
double largest_error(const std::vector<float>& a, const std::vector<double>& b) {
  double error = 0, largest = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    if (!std::isfinite(a[i])) return INFINITY;
    error = std::max(error, std::abs(a[i] - b[i]));
    largest = std::max(largest, std::abs(b[i]));
  }
  return error / largest;
}

/// ||a - b|| over ||b|| of each image, in the median: one ReLU at its kink changes an image's gradient whole.
double median_error(const std::vector<float>& a, const std::vector<double>& b, std::size_t images) {
  std::vector<double> errors;
  const std::size_t size = b.size() / images;
  for (std::size_t n = 0; n < images; ++n) {
    double error = 0, norm = 0;
    for (std::size_t i = n * size; i < (n + 1) * size; ++i) {
      error += (a[i] - b[i]) * (a[i] - b[i]);
      norm += b[i] * b[i];
    }
    errors.push_back(std::isfinite(error) ? std::sqrt(error / std::max(norm, 1e-300)) : INFINITY);
  }
  std::sort(errors.begin(), errors.end());
  return errors[errors.size() / 2];
}

void compare(const char* name, SubjectOptions options, bool precise, std::int64_t count,
             ExactImagePass& truth) {
  options.common.precise = precise;
  const Subject subject(options);
  const ImageSplit images = first_images(*subject.split, std::min(count, subject.split->count));
  if (truth.logits.empty()) truth = run_image_pass_in_double(*subject.network, images);
  const ImagePass pass = run_image_pass(*subject.network, images);
  std::printf("%-8s %14.2e %20.2e %14.4f %%\n", name, largest_error(pass.logits, truth.logits),
              median_error(pass.gradient, truth.gradient, static_cast<std::size_t>(images.count)),
              100 * share_of_turned_signs(pass.gradient, truth.gradient));
}

/// How many test images: an argument.
std::int64_t parse_count(const std::string& text) {
  const bool number = !text.empty() && text.size() <= 9 && text.find_first_not_of("0123456789") == text.npos;
  if (!number || std::stoll(text) < 1)
    fail(ErrorKind::usage, "IMAGES is '", text, "', expected a number of images");
  return std::stoll(text);
}

void run(int argc, char** argv) {
  if (argc < 3 || argc > 4) fail(ErrorKind::usage, "expected arguments MODEL DATA [IMAGES]");
  SubjectOptions options;
  options.model = argv[1];
  options.data = argv[2];
  const std::int64_t count = argc == 4 ? parse_count(argv[3]) : 64;
  std::printf("%-8s %14s %20s %16s\n", "fp32", "logits, max", "gradient, median", "signs turned");
  ExactImagePass truth;
  compare("direct", options, true, count, truth);
  compare("fast", options, false, count, truth);
}

}  // namespace

}  // namespace inocula::bench

int main(int argc, char** argv) {
  return inocula::bench::exit_of(argv[0], [&] { inocula::bench::run(argc, argv); });
}
