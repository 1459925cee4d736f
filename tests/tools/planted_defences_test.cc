// Networks that are no harder to fool than others and look it: each has to raise a flag, and honest ones
// none.
//
// The defences are those that Athalye et al. (ICML 2018) and Croce and Hein (ICML 2020) took apart: each
// hides its gradients or its logits. The network behind them is the small one of tests/parity/golden.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "attacks/defence.h"
#include "io/dataset.h"
#include "io/synthetic.h"
#include "models/registry.h"
#include "tests/io/files.h"
#include "tools/evaluation.h"

namespace inocula {

namespace {

using attacks::Defence;

/// A step in plain C++; the arrays are whole tensors.
void host_step(Recorder& r, const char* name, const Tensor& from, const Tensor& to,
               const std::function<void(const float*, float*)>& compute) {
  r.step(name, [=](Access& at) -> Launch {
    const float* const in = at.in(from);
    float* const out = at.out(to);
    return [=](const Queue&) { compute(in, out); };
  });
}

Tensor mapped(Recorder& r, const char* name, const Tensor& from, const std::function<float(float)>& f) {
  const Tensor to = r.make(name, from.shape);
  const std::int64_t n = from.shape.size();
  host_step(r, name, from, to, [=](const float* in, float* out) { std::transform(in, in + n, out, f); });
  return to;
}

/// A victim around another one that changes what goes in and what comes out.
class Wrapped : public Victim {
 public:
  Wrapped(Recorder& r, Victim& inner) : r_(r), inner_(inner) {}
  std::int64_t classes() const override { return inner_.classes(); }
  Tensor logits(const Tensor& images) override { return outside(inner_.logits(inside(images))); }
  Query query(const Tensor& images) override {
    Query q = inner_.query(inside(images));
    q.logits = outside(q.logits);
    seen_[q.trace.get()] = {images, q.logits};
    return q;
  }
  Tensor gradient(const Query& q, const Tensor& dlogits) override {
    const auto& [images, answer] = seen_.at(q.trace.get());
    return back_inside(images, inner_.gradient(q, back_outside(answer, dlogits)));
  }

 protected:
  virtual Tensor inside(const Tensor& images) { return images; }
  virtual Tensor outside(const Tensor& logits) { return logits; }
  virtual Tensor back_inside(const Tensor&, const Tensor& gradient) { return gradient; }
  virtual Tensor back_outside(const Tensor&, const Tensor& dlogits) { return dlogits; }

  Recorder& r_;
  Victim& inner_;

 private:
  std::map<const ForwardTrace*, std::pair<Tensor, Tensor>> seen_;
};

/// Eight greys: no gradient comes through.
struct Quantised final : Wrapped {
  using Wrapped::Wrapped;
  Tensor inside(const Tensor& images) override {
    return mapped(r_, "quantise", images, [](float x) { return std::round(x * 7) / 7; });
  }
  Tensor back_inside(const Tensor&, const Tensor& gradient) override {
    return mapped(r_, "no gradient", gradient, [](float) { return 0.0f; });
  }
};

/// So sure of itself that softmax has no gradient left.
struct Scaled final : Wrapped {
  using Wrapped::Wrapped;
  Tensor outside(const Tensor& logits) override {
    return mapped(r_, "scale", logits, [](float z) { return 1e4f * z; });
  }
  Tensor back_outside(const Tensor&, const Tensor& dlogits) override {
    return mapped(r_, "scale", dlogits, [](float d) { return 1e4f * d; });
  }
};

/// Other noise at each question.
struct Noisy final : Wrapped {
  using Wrapped::Wrapped;
  Tensor inside(const Tensor& images) override {
    static unsigned recorded = 0;
    const auto random = std::make_shared<std::mt19937>(++recorded);
    return mapped(r_, "noise", images,
                  [random](float x) { return x + std::normal_distribution<float>(0, 0.1f)(*random); });
  }
};

/// A ripple of a sixtieth of the range whose slope drowns the network's.
struct Shattered final : Wrapped {
  using Wrapped::Wrapped;
  static constexpr float kHeight = 1.0f / 60, kTurns = 3000;
  Tensor inside(const Tensor& images) override {
    return mapped(r_, "ripple", images, [](float x) { return x + kHeight * std::sin(kTurns * x); });
  }
  Tensor back_inside(const Tensor& images, const Tensor& gradient) override {
    const Tensor to = r_.make("rippled gradient", gradient.shape);
    const std::int64_t n = to.shape.size();
    r_.step("ripple", [=](Access& at) -> Launch {
      const float *const x = at.in(images), *const g = at.in(gradient);
      float* const out = at.out(to);
      return [=](const Queue&) {
        for (std::int64_t i = 0; i < n; ++i) out[i] = g[i] * (1 + kHeight * kTurns * std::cos(kTurns * x[i]));
      };
    });
    return to;
  }
};

/// Probabilities where logits are expected.
struct Softmaxed final : Wrapped {
  using Wrapped::Wrapped;
  Tensor outside(const Tensor& logits) override {
    const Tensor to = r_.make("probabilities", logits.shape);
    const std::int64_t rows = logits.shape.n, k = logits.shape.per_sample();
    host_step(r_, "softmax", logits, to, [=](const float* z, float* p) {
      for (std::int64_t row = 0; row < rows; ++row, z += k, p += k) {
        const double top = *std::max_element(z, z + k);
        double sum = 0;
        for (std::int64_t j = 0; j < k; ++j) sum += std::exp(z[j] - top);
        for (std::int64_t j = 0; j < k; ++j) p[j] = static_cast<float>(std::exp(z[j] - top) / sum);
      }
    });
    return to;
  }
  Tensor back_outside(const Tensor& answer, const Tensor& dlogits) override {
    const Tensor to = r_.make("softmax gradient", dlogits.shape);
    const std::int64_t rows = dlogits.shape.n, k = dlogits.shape.per_sample();
    r_.step("softmax gradient", [=](Access& at) -> Launch {
      const float *const all_p = at.in(answer), *const all_d = at.in(dlogits);
      float* const out = at.out(to);
      return [=](const Queue&) {
        for (std::int64_t row = 0; row < rows; ++row) {
          const float *const p = all_p + row * k, *const d = all_d + row * k;
          float mean = 0;
          for (std::int64_t j = 0; j < k; ++j) mean += p[j] * d[j];
          for (std::int64_t j = 0; j < k; ++j) out[row * k + j] = p[j] * (d[j] - mean);
        }
      };
    });
    return to;
  }
};

/// Of each hidden layer only the largest few are let through (Xiao, Zhong, Zheng, ICLR 2020): which ones
/// changes from one point to the next, and the gradient with it.
class WinnerTakeAll {
 public:
  static constexpr std::int64_t kPool = 4, kHidden = 1024, kWinners = 16, kLayers = 3;

  /// Learns by plain stochastic gradient descent.
  WinnerTakeAll(const ImageSplit& train, std::int64_t classes)
      : channels_(train.channels), height_(train.height), width_(train.width) {
    const std::int64_t pooled = channels_ * (height_ / kPool) * (width_ / kPool);
    size_ = {pooled, kHidden, kHidden, classes};
    std::mt19937 random(5);
    std::normal_distribution<float> normal;
    for (std::size_t l = 0; l < kLayers; ++l) {
      const auto active = static_cast<float>(l == 0 ? pooled : kWinners);
      for (std::int64_t i = 0; i < size_[l] * size_[l + 1]; ++i)
        weight_[l].push_back(l + 1 == kLayers ? 0.0f : normal(random) / std::sqrt(active));
    }
    for (int epoch = 0; epoch < 5; ++epoch)
      for (std::int64_t i = 0; i < train.count; ++i) {
        std::vector<float> x;
        const std::int64_t pixels = height_ * width_;
        for (std::int64_t c = 0; c < channels_; ++c)
          for (std::int64_t p = 0; p < pixels; ++p)
            x.push_back(
                static_cast<float>(train.pixels[static_cast<std::size_t>((i * pixels + p) * channels_ + c)]) /
                255);
        learn(x.data(), train.labels[static_cast<std::size_t>(i)]);
      }
  }

  std::int64_t inputs() const { return channels_ * height_ * width_; }
  /// What backward needs of an image.
  std::int64_t kept() const { return size_[0] + 2 * kHidden; }

  void forward(const float* x, float* logits, float* kept) const {
    float* const pooled = kept;
    std::fill_n(pooled, size_[0], 0.0f);
    for (std::int64_t i = 0; i < inputs(); ++i) pooled[cell(i)] += (x[i] - 0.5f) / (kPool * kPool);
    apply(0, pooled, kept + size_[0]);
    keep_winners(kept + size_[0]);
    apply(1, kept + size_[0], kept + size_[0] + kHidden);
    keep_winners(kept + size_[0] + kHidden);
    apply(2, kept + size_[0] + kHidden, logits);
  }

  /// With a rate above 0 the weights go down their gradients.
  void backward(const float* dlogits, const float* kept, float* dx, float rate = 0) {
    std::vector<float> d(dlogits, dlogits + size_[3]);
    for (std::size_t l = kLayers; l-- > 0;) {
      const float* const in = l == 0 ? kept : kept + size_[0] + static_cast<std::int64_t>(l - 1) * kHidden;
      std::vector<float> before(static_cast<std::size_t>(size_[l]), 0.0f);
      for (std::int64_t i = 0; i < size_[l]; ++i) {
        if (in[i] == 0) continue;
        float* const w = weight_[l].data() + i * size_[l + 1];
        for (std::int64_t o = 0; o < size_[l + 1]; ++o) {
          const float step = d[static_cast<std::size_t>(o)];
          before[static_cast<std::size_t>(i)] += step * w[o];
          w[o] -= rate * step * in[i];
        }
      }
      d = std::move(before);  // zero where nothing was let through
    }
    for (std::int64_t i = 0; dx != nullptr && i < inputs(); ++i)
      dx[i] = d[static_cast<std::size_t>(cell(i))] / (kPool * kPool);
  }

 private:
  std::int64_t cell(std::int64_t i) const {
    const std::int64_t c = i / (height_ * width_), y = i / width_ % height_, x = i % width_;
    return (c * (height_ / kPool) + y / kPool) * (width_ / kPool) + x / kPool;
  }
  void apply(std::size_t l, const float* in, float* out) const {
    std::fill_n(out, size_[l + 1], 0.0f);
    for (std::int64_t i = 0; i < size_[l]; ++i) {
      if (in[i] == 0) continue;
      const float* const w = weight_[l].data() + i * size_[l + 1];
      for (std::int64_t o = 0; o < size_[l + 1]; ++o) out[o] += in[i] * w[o];
    }
  }
  static void keep_winners(float* values) {
    std::vector<float> sorted(values, values + kHidden);
    std::nth_element(sorted.begin(), sorted.begin() + kWinners - 1, sorted.end(), std::greater<>());
    const float least = sorted[kWinners - 1];
    for (std::int64_t h = 0; h < kHidden; ++h)
      if (values[h] < least) values[h] = 0;
  }
  void learn(const float* x, std::int32_t label) {
    std::vector<float> logits(static_cast<std::size_t>(size_[3])),
        kept_values(static_cast<std::size_t>(kept()));
    forward(x, logits.data(), kept_values.data());
    const float top = *std::max_element(logits.begin(), logits.end());
    float sum = 0;
    for (float& z : logits) sum += z = std::exp(z - top);
    for (float& z : logits) z /= sum;
    logits[static_cast<std::size_t>(label)] -= 1;
    backward(logits.data(), kept_values.data(), nullptr, 0.01f);
  }

  std::int64_t channels_, height_, width_;
  std::array<std::int64_t, kLayers + 1> size_ = {};
  std::array<std::vector<float>, kLayers> weight_;  ///< (inputs, outputs)
};

class WinnerTakeAllVictim final : public Victim {
 public:
  WinnerTakeAllVictim(Recorder& r, std::int64_t classes, std::shared_ptr<WinnerTakeAll> network)
      : r_(r), classes_(classes), network_(std::move(network)) {}
  std::int64_t classes() const override { return classes_; }
  Tensor logits(const Tensor& images) override { return query(images).logits; }
  Query query(const Tensor& images) override {
    const std::int64_t rows = images.shape.n, classes = classes_;
    const Tensor logits = r_.make("wta logits", {rows, classes, 1, 1});
    const Tensor kept = r_.make("wta kept", {rows, network_->kept(), 1, 1});
    r_.step("wta forward", [=, network = network_](Access& at) -> Launch {
      const float* const x = at.in(images);
      float *const z = at.out(logits), *const h = at.out(kept);
      return [=](const Queue&) {
        for (std::int64_t row = 0; row < rows; ++row)
          network->forward(x + row * network->inputs(), z + row * classes, h + row * network->kept());
      };
    });
    const auto trace = std::make_shared<ForwardTrace>();
    kept_[trace.get()] = kept;
    return {logits, trace};
  }
  Tensor gradient(const Query& q, const Tensor& dlogits) override {
    const std::int64_t rows = dlogits.shape.n, classes = classes_;
    const Tensor kept = kept_.at(q.trace.get());
    const Tensor dx = r_.make("wta gradient", {rows, network_->inputs(), 1, 1});
    r_.step("wta backward", [=, network = network_](Access& at) -> Launch {
      const float *const d = at.in(dlogits), *const h = at.in(kept);
      float* const out = at.out(dx);
      return [=](const Queue&) {
        for (std::int64_t row = 0; row < rows; ++row)
          network->backward(d + row * classes, h + row * network->kept(), out + row * network->inputs());
      };
    });
    return dx;
  }

 private:
  Recorder& r_;
  std::int64_t classes_;
  std::shared_ptr<WinnerTakeAll> network_;
  std::map<const ForwardTrace*, Tensor> kept_;
};

struct Planted final : Defence {
  using Make = std::function<std::unique_ptr<Victim>(Recorder&, Victim&)>;
  Planted(std::string its_name, Make its_make) : name(std::move(its_name)), make(std::move(its_make)) {}
  std::string spec() const override { return name; }
  std::unique_ptr<Victim> record(Recorder& r, Victim& inner) const override { return make(r, inner); }

  std::string name;
  Make make;
};

template <class T>
Planted planted(const std::string& name) {
  return {name, [](Recorder& r, Victim& inner) { return std::make_unique<T>(r, inner); }};
}

nlohmann::ordered_json judge(const SubjectOptions& subject, const std::vector<std::string>& attacks,
                             const Defence* defence) {
  EvaluationOptions o;
  o.subject = subject;
  o.attacks = attacks;
  o.evaluator.limit = 120;
  o.bootstrap = 0;
  o.examples = 0;
  Progress progress(/*quiet=*/true);
  return evaluate(o, Subject(subject), {.defence = defence}, progress);
}

std::string failed_checks(const nlohmann::ordered_json& result) {
  std::string text;
  for (const auto& check : result.at("checks"))
    if (!check.at("passed").get<bool>())
      text += check.at("check").get<std::string>() + ": " + check.at("says").get<std::string>() + "; ";
  return text;
}

/// The golden network and the images that it has learnt.
struct Golden {
  TempFolder folder;
  ImageData data = synthesize({.kind = SyntheticKind::cells, .count = 2500, .size = 28, .seed = 5});
  SubjectOptions subject;

  Golden() {
    subject.model = INOCULA_GOLDEN_NETWORK;
    subject.data = folder / "cells.npz";
    subject.common.quiet = true;
    save_image_data(subject.data, data);
  }
};

const std::vector<std::string> kAttacks = {"pgd:eps=8/255,steps=10"};

}  // namespace

TEST_CASE("planted defences: each of six raises a flag") {
  const Golden golden;
  const auto winners = std::make_shared<WinnerTakeAll>(golden.data.train, 3);
  const Planted defences[] = {planted<Quantised>("quantised"),
                              planted<Scaled>("scaled"),
                              planted<Noisy>("noisy"),
                              planted<Shattered>("shattered"),
                              planted<Softmaxed>("softmaxed"),
                              {"winner takes all", [&](Recorder& r, Victim& inner) {
                                 return std::make_unique<WinnerTakeAllVictim>(r, inner.classes(), winners);
                               }}};
  const std::map<std::string, std::string> finds = {
      {"quantised", "gradients_not_zero"}, {"scaled", "gradients_not_zero"},
      {"noisy", "answers_repeat"},         {"shattered", "gradients_foretell_loss"},
      {"softmaxed", "answers_are_logits"}, {"winner takes all", ""}};
  for (const Planted& defence : defences) {
    const nlohmann::ordered_json result = judge(golden.subject, kAttacks, &defence);
    const std::string failed = failed_checks(result);
    CAPTURE(defence.name);
    CAPTURE(failed);
    CAPTURE(result.at("rows")[0].at("accuracy").get<double>());
    CAPTURE(result.at("rows")[1].at("accuracy").get<double>());
    MESSAGE(defence.name << ": " << failed);
    CHECK(result.at("trust") != "pass");
    CHECK(failed.find(finds.at(defence.name)) != std::string::npos);
    // It is a classifier all the same.
    CHECK(result.at("rows")[0].at("accuracy").get<double>() > 0.6);
  }
}

TEST_CASE("planted defences: the same network without any raises none, whatever the attack") {
  const Golden golden;
  const nlohmann::ordered_json result = judge(
      golden.subject,
      {"pgd:eps=8/255,steps=40", "pgd:norm=l2,eps=0.5;1,steps=40", "aa-k:eps=8/255,steps=20,queries=100"},
      nullptr);
  CAPTURE(failed_checks(result));
  CHECK(result.at("trust") == "pass");
}

}  // namespace inocula
