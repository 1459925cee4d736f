// What PGD promises on any network: the ball, the box, restarts and best iterates that never hurt, modes,
// refusals.
#include "attacks/pgd.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "attacks/registry.h"
#include "tests/attacks/linear_model.h"
#include "tests/engine/graphs.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

constexpr std::int64_t kImages = 40, kClasses = 3;
const Shape kImage{1, 1, 10, 10};

Network& victim() {
  static Network network(small_resnet(kImage, 4, kClasses), cpu());
  static const bool ready = (randomize(network, 3), true);
  (void)ready;
  return network;
}

const ImageSplit& images() {
  static const ImageSplit split = split_between(kImages, kImage, kClasses, 0, 255, 4);
  return split;
}

attacks::Pgd make(const std::string& spec) {
  return attacks::Pgd(attacks::parse_pgd(spec), spec.substr(0, spec.find(':')));
}

/// Cross-entropy of each sample's perturbed logits against its label, or against a target.
std::vector<double> losses(const attacks::Evaluation& e, std::int32_t target = -1) {
  const std::vector<double> z(e.logits.begin(), e.logits.end());
  return reference_softmax_ce(z, target < 0 ? e.label : std::vector<std::int32_t>(e.label.size(), target),
                              Reduction::sum)
      .loss;
}

std::vector<bool> fooled(const attacks::Evaluation& e) {
  const std::vector<std::int32_t> predicted = attacks::argmax_rows(e.logits, e.classes);
  std::vector<bool> result;
  for (std::size_t i = 0; i < predicted.size(); ++i) result.push_back(predicted[i] != e.label[i]);
  return result;
}

}  // namespace

TEST_CASE("pgd: images stay in the ball and in the box, as measured afresh") {
  for (const std::string spec :
       {"fgsm:eps=8/255", "fgsm:norm=l2,eps=0.7", "pgd:eps=8/255,steps=5", "pgd:eps=0.3,alpha=0.7,steps=3",
        "pgd:eps=1,alpha=0.4,steps=3", "pgd:norm=l2,eps=0.7,alpha=0.3,steps=5",
        "pgd:norm=l2,eps=1e-3,alpha=1,steps=3",
        "pgd:norm=l2,eps=3,alpha=1,steps=3,random_start=sphere,restarts=2",
        "pgd:norm=l2,eps=20,alpha=5,steps=2", "pgd:eps=1e-6,alpha=1e-6,steps=2,keep=best",
        "pgd:eps=0.031,alpha=0.007,random_start=normal,loss=kl",
        "pgd:norm=l2,eps=0.7,alpha=0.14,random_start=normal,loss=kl",
        "pgd:eps=1e-4,alpha=1e-4,steps=2,keep=best,random_start=normal,loss=kl,restarts=2",
        "pgd:norm=l2,eps=1e-3,alpha=1e-3,steps=2,keep=best,random_start=normal,loss=kl"}) {
    CAPTURE(spec);
    const attacks::PgdSpec pgd = attacks::parse_pgd(spec);
    const attacks::Evaluation e = evaluate(victim(), images(), make(spec));
    double largest = 0;
    for (std::int64_t i = 0; i < kImages; ++i) {
      const std::vector<double> x = attacked_image(e, i), clean = image_of(images(), i);
      double linf = 0, squares = 0, l0 = 0;
      for (std::size_t j = 0; j < x.size(); ++j) {
        linf = std::max(linf, std::abs(x[j] - clean[j]));
        squares += (x[j] - clean[j]) * (x[j] - clean[j]);
        l0 += x[j] != clean[j] ? 1 : 0;
      }
      const PerturbationNorm& n = e.norms[static_cast<std::size_t>(i)];
      CHECK(n.linf == linf);
      CHECK(n.l2 == doctest::Approx(std::sqrt(squares)).epsilon(1e-12));
      CHECK(n.l0 == l0);
      CHECK(n.lowest == *std::min_element(x.begin(), x.end()));
      CHECK(n.highest == *std::max_element(x.begin(), x.end()));
      CHECK(n.lowest >= 0);
      CHECK(n.highest <= 1);
      const double norm = pgd.norm == attacks::Norm::linf ? n.linf : n.l2;
      CHECK(norm <= static_cast<double>(static_cast<float>(pgd.eps)));
      largest = std::max(largest, norm);
    }
    const attacks::Robustness r = attacks::judge_robustness(e);
    CHECK((pgd.norm == attacks::Norm::linf ? r.largest.linf : r.largest.l2) == largest);
    CHECK(largest > 0.5 * std::min(pgd.eps, 1.0));  // and they use it
  }
}

TEST_CASE("pgd: a radius of 0 leaves the images as they are, bit for bit") {
  for (const std::string spec :
       {"fgsm:eps=0", "fgsm:norm=l2,eps=0", "pgd:eps=0,steps=3", "pgd:norm=l2,eps=0,steps=3",
        "pgd:norm=l2,eps=0,steps=2,random_start=sphere", "pgd:eps=0,steps=2,restarts=2,keep=best",
        "pgd:eps=0,steps=2,random_start=normal,loss=kl", "pgd:norm=l2,eps=0,steps=2,random_start=normal"}) {
    CAPTURE(spec);
    const attacks::Evaluation e = evaluate(victim(), images(), make(spec));
    CHECK(same_bits(e.clean_logits, e.logits));
    for (std::int64_t i = 0; i < kImages; ++i) CHECK(attacked_image(e, i) == image_of(images(), i));
    for (const PerturbationNorm& n : e.norms) CHECK(n.l0 == 0);
  }
}

TEST_CASE("pgd: restarts fool every sample that one run fools, and more of them never fewer") {
  for (const std::string norm : {"norm=linf,eps=6/255,alpha=2/255", "norm=l2,eps=0.25,alpha=0.08"}) {
    std::vector<bool> before;
    std::int64_t first = 0, last = 0;
    for (const int restarts : {1, 2, 5}) {
      CAPTURE(restarts);
      const attacks::Evaluation e =
          evaluate(victim(), images(), make("pgd:" + norm + ",steps=2,restarts=" + std::to_string(restarts)));
      const std::vector<bool> now = fooled(e);
      if (!before.empty())
        for (std::size_t i = 0; i < now.size(); ++i) CHECK((now[i] || !before[i]));
      last = std::count(now.begin(), now.end(), true);
      if (before.empty()) first = last;
      before = now;
    }
    CHECK(last >= first);
    CHECK(last > 0);
    CHECK(last < kImages);
  }
}

TEST_CASE("pgd: restarts start from different points, and the one of highest loss is kept") {
  const std::string spec = "pgd:eps=8/255,alpha=1e-6,steps=1";  // the start decides
  const attacks::Evaluation one = evaluate(victim(), images(), make(spec));
  const attacks::Evaluation four = evaluate(victim(), images(), make(spec + ",restarts=4"));
  const std::vector<double> a = losses(one), b = losses(four);
  int better = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (fooled(one)[i] == fooled(four)[i]) CHECK(b[i] >= a[i]);
    better += b[i] > a[i] ? 1 : 0;
  }
  CHECK(better > kImages / 3);
}

TEST_CASE("pgd: the best iterate is never worse than the last, the start, or where it is aimed at") {
  for (const std::string spec : {"pgd:eps=0.2,alpha=0.19,steps=4", "pgd:norm=l2,eps=2,alpha=1.9,steps=4"}) {
    CAPTURE(spec);
    const std::vector<double> last = losses(evaluate(victim(), images(), make(spec)));
    const std::vector<double> best = losses(evaluate(victim(), images(), make(spec + ",keep=best")));
    int better = 0;
    for (std::size_t i = 0; i < last.size(); ++i) {
      CHECK(best[i] >= last[i]);
      better += best[i] > last[i] ? 1 : 0;
    }
    CHECK(better > 0);  // steps this long overshoot
    const std::vector<double> aimed_last = losses(evaluate(victim(), images(), make(spec + ",target=1")), 1);
    const std::vector<double> aimed_best =
        losses(evaluate(victim(), images(), make(spec + ",target=1,keep=best")), 1);
    for (std::size_t i = 0; i < last.size(); ++i) CHECK(aimed_best[i] <= aimed_last[i]);
  }
  // Of a run that only loses ground the start is kept, even if that is the image itself.
  const std::vector<double> start = losses(evaluate(victim(), images(), make("fgsm:eps=0")));
  const std::vector<double> kept =
      losses(evaluate(victim(), images(), make("pgd:eps=0.9,alpha=0.9,steps=1,random_start=0,keep=best")));
  for (std::size_t i = 0; i < start.size(); ++i) CHECK(kept[i] >= start[i]);
}

TEST_CASE("pgd: attacks raise the loss, and more steps and larger balls do so further") {
  const auto mean_loss = [&](const std::string& spec) {
    double sum = 0;
    for (const double loss : losses(evaluate(victim(), images(), make(spec)))) sum += loss / kImages;
    return sum;
  };
  const double clean = mean_loss("fgsm:eps=0"), one = mean_loss("fgsm:eps=8/255"),
               ten = mean_loss("pgd:eps=8/255,alpha=2/255,steps=10,random_start=0"),
               wide = mean_loss("pgd:eps=16/255,alpha=4/255,steps=10,random_start=0");
  CHECK(one > clean);
  CHECK(ten > one);
  CHECK(wide > ten);
  CHECK(mean_loss("pgd:norm=l2,eps=1,alpha=0.2,steps=10") > clean);
}

TEST_CASE("pgd: loss=kl climbs the divergence from the answer to the image, whatever its label and batch") {
  const auto divergences = [](const attacks::Evaluation& e) {
    const auto k = static_cast<std::size_t>(e.classes);
    // ln p[j] is minus the cross-entropy against j.
    const auto log_of = [&](const std::vector<float>& z, std::size_t first, std::size_t j) {
      const std::vector<double> row(z.begin() + static_cast<std::ptrdiff_t>(first),
                                    z.begin() + static_cast<std::ptrdiff_t>(first + k));
      const std::vector<std::int32_t> label{static_cast<std::int32_t>(j)};
      return -reference_softmax_ce(row, label, Reduction::sum).loss[0];
    };
    std::vector<double> found;
    for (std::size_t first = 0; first < e.logits.size(); first += k) {
      double sum = 0;
      for (std::size_t j = 0; j < k; ++j) {
        const double log_p = log_of(e.clean_logits, first, j);
        sum += std::exp(log_p) * (log_p - log_of(e.logits, first, j));
      }
      found.push_back(sum);
    }
    return found;
  };
  for (const std::string ball : {"norm=linf,eps=0.031,alpha=", "norm=l2,eps=0.7,alpha="}) {
    CAPTURE(ball);
    const bool linf = ball.find("linf") != std::string::npos;
    const auto attack = [&](const std::string& alpha, int steps) {
      return make("pgd:" + ball + alpha + ",steps=" + std::to_string(steps) + ",random_start=normal,loss=kl");
    };
    const std::string alpha = linf ? "0.007" : "0.14";
    const attacks::Evaluation e = evaluate(victim(), images(), attack(alpha, 10));
    const std::vector<double> start = divergences(evaluate(victim(), images(), attack("1e-9", 1)));
    const std::vector<double> one = divergences(evaluate(victim(), images(), attack(alpha, 1)));
    const std::vector<double> ten = divergences(e);
    double sum_one = 0, sum_ten = 0;
    for (std::size_t i = 0; i < ten.size(); ++i) {
      CHECK(one[i] > start[i]);
      CHECK(ten[i] > 10 * start[i]);
      sum_one += one[i];
      sum_ten += ten[i];
    }
    CHECK(sum_ten > 2 * sum_one);
    for (const std::int64_t batch : {1, 7, 40})
      CHECK(same_bits(evaluate(victim(), images(), attack(alpha, 10), batch).images, e.images));
    ImageSplit relabelled = images();
    for (std::int32_t& label : relabelled.labels) label = (label + 1) % static_cast<std::int32_t>(kClasses);
    CHECK(same_bits(evaluate(victim(), relabelled, attack(alpha, 10)).images, e.images));
  }
}

TEST_CASE("pgd: the first step of a deep network follows the reference's gradient, in both modes") {
  Reference reference(victim());
  for (const NormMode mode : {NormMode::frozen, NormMode::batch_no_update}) {
    CAPTURE(static_cast<int>(mode));
    constexpr std::int64_t kBatch = 8;  // of which there are five whole ones
    const attacks::Evaluation e = evaluate(victim(), images(), make("fgsm:eps=0.02"), kBatch, 7, mode);
    std::int64_t agree = 0, all = 0;
    for (std::int64_t first = 0; first < kImages; first += kBatch) {
      std::vector<double> x;
      std::vector<std::int32_t> label;
      for (std::int64_t i = first; i < first + kBatch; ++i) {
        const std::vector<double> image = image_of(images(), i);
        x.insert(x.end(), image.begin(), image.end());
        label.push_back(images().labels[static_cast<std::size_t>(i)]);
      }
      const ReferenceTrace trace = reference.forward(x, mode);
      const std::vector<double> g =
          reference.backward(trace, reference_softmax_ce(trace.logits(), label, Reduction::sum).dlogits)
              .images;
      for (std::size_t j = 0; j < x.size(); ++j) {
        const double expected = std::clamp(x[j] + (g[j] > 0 ? 0.02 : -0.02), 0.0, 1.0);
        const double actual =
            e.images[static_cast<std::size_t>(first) * static_cast<std::size_t>(kImage.per_sample()) + j];
        agree += std::abs(actual - expected) < 1e-6 ? 1 : 0;
        all += 1;
      }
    }
    CHECK(static_cast<double>(all - agree) <= 1e-3 * static_cast<double>(all));
  }
}

TEST_CASE("pgd: in batch mode samples see each other, in frozen mode they do not") {
  const attacks::Pgd attack = make("fgsm:eps=0.02");
  const auto with_batch = [&](std::int64_t batch, NormMode mode) {
    return evaluate(victim(), images(), attack, batch, 7, mode);
  };
  CHECK(same_bits(with_batch(8, NormMode::frozen).images, with_batch(20, NormMode::frozen).images));
  const attacks::Evaluation batch = with_batch(8, NormMode::batch_no_update);
  CHECK(!same_bits(batch.images, with_batch(20, NormMode::batch_no_update).images));
  CHECK(!same_bits(batch.images, with_batch(8, NormMode::frozen).images));
  // The verdict is the frozen network's in any case.
  CHECK(same_bits(batch.clean_logits, with_batch(8, NormMode::frozen).clean_logits));
}

TEST_CASE("pgd: gradients that are zero everywhere are counted") {
  Network zero(tiny_graph(kImage, 3, kClasses), cpu());  // never initialised: all weights 0
  const auto count = [&](Network& network, const std::string& spec) {
    const attacks::Evaluation e = evaluate(network, images(), make(spec), 16);
    CHECK(attacks::judge_robustness(e).zero_gradient_fraction ==
          static_cast<double>(total(e.zero_gradients)) / static_cast<double>(total(e.all_gradients)));
    return std::pair{total(e.zero_gradients), total(e.all_gradients)};
  };
  CHECK(count(zero, "fgsm:eps=0.1") == std::pair<std::uint64_t, std::uint64_t>{40, 40});
  CHECK(count(zero, "pgd:eps=0.1,steps=3") == std::pair<std::uint64_t, std::uint64_t>{120, 120});
  CHECK(count(zero, "pgd:norm=l2,eps=0.1,steps=3,restarts=2,keep=best") ==
        std::pair<std::uint64_t, std::uint64_t>{240, 240});
  CHECK(count(victim(), "pgd:eps=0.1,steps=3") == std::pair<std::uint64_t, std::uint64_t>{0, 120});
  // Nothing to follow, nothing moves.
  for (const std::string spec : {"fgsm:eps=0.1", "fgsm:norm=l2,eps=0.5"}) {
    const attacks::Evaluation e = evaluate(zero, images(), make(spec));
    for (std::int64_t i = 0; i < kImages; ++i) CHECK(attacked_image(e, i) == image_of(images(), i));
  }
}

TEST_CASE("pgd: another seed is another start, and the images' index names the draw") {
  const attacks::Pgd attack = make("pgd:eps=8/255,alpha=1e-6,steps=1");
  const attacks::Evaluation a = evaluate(victim(), images(), attack, 16, 1);
  CHECK(same_bits(a.images, evaluate(victim(), images(), attack, 16, 1).images));
  CHECK(!same_bits(a.images, evaluate(victim(), images(), attack, 16, 2).images));
  // Equal images at other places of the data set start elsewhere.
  ImageSplit twins = images();
  std::copy_n(twins.pixels.begin(), twins.image_bytes(), twins.pixels.begin() + twins.image_bytes());
  const attacks::Evaluation t = evaluate(victim(), twins, attack, 16, 1);
  CHECK(attacked_image(t, 0) != attacked_image(t, 1));
}

TEST_CASE("pgd: settings out of range are refused") {
  const auto refuse = [](attacks::PgdSpec spec, const char* part) {
    check_throws(ErrorKind::usage, part, [&] { attacks::Pgd attack(spec); });
  };
  const auto with = [](auto change) {
    attacks::PgdSpec spec;
    change(spec);
    return spec;
  };
  using attacks::PgdSpec;
  refuse(with([](PgdSpec& s) { s.eps = -1; }), "pgd: eps is -1, expected 0 or more");
  refuse(with([](PgdSpec& s) { s.eps = std::numeric_limits<double>::infinity(); }), "pgd: eps is inf");
  refuse(with([](PgdSpec& s) { s.eps = std::nan(""); }), "pgd: eps is nan");
  refuse(with([](PgdSpec& s) { s.alpha = 0; }), "pgd: alpha is 0, expected a positive number");
  refuse(with([](PgdSpec& s) { s.alpha = -0.1; }), "pgd: alpha is -0.1");
  refuse(with([](PgdSpec& s) { s.alpha = std::nan(""); }), "pgd: alpha is nan");
  refuse(with([](PgdSpec& s) { s.steps = 0; }), "pgd: steps is 0, expected at least 1");
  refuse(with([](PgdSpec& s) { s.restarts = 0; }), "pgd: restarts is 0, expected at least 1");
  refuse(with([](PgdSpec& s) {
           s.restarts = 2;
           s.start = attacks::Start::clean;
         }),
         "expected random_start=1");
  refuse(with([](PgdSpec& s) { s.start = attacks::Start::sphere; }), "a start on the sphere needs norm=l2");
  refuse(with([](PgdSpec& s) {
           s.loss = attacks::AttackLoss::divergence;
           s.start = attacks::Start::clean;
         }),
         "zero at the image itself; expected a random start");
  refuse(with([](PgdSpec& s) {
           s.loss = attacks::AttackLoss::divergence;
           s.target.targeted = true;
         }),
         "expected no target, or loss=ce");
}

}  // namespace inocula::test
