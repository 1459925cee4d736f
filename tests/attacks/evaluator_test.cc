// Evaluation: a sample's adversarial example is its own whatever the batch; padding counts nowhere; models
// stay as they are.
#include "attacks/evaluate.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <string>

#include "attacks/clean.h"
#include "attacks/pgd.h"
#include "attacks/registry.h"
#include "models/registry.h"
#include "tests/attacks/linear_model.h"
#include "tests/engine/graphs.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

using attacks::Evaluation;
using attacks::Evaluator;
using attacks::EvaluatorSpec;
using attacks::KeepImages;

template <class T>
bool same_memory(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

/// Every number of two evaluations is the same, bit for bit.
void check_same(const Evaluation& a, const Evaluation& b) {
  CHECK(a.n == b.n);
  CHECK(a.label == b.label);
  CHECK(same_bits(a.images, b.images));
  CHECK(same_bits(a.clean_logits, b.clean_logits));
  CHECK(same_bits(a.logits, b.logits));
  CHECK(same_memory(a.norms, b.norms));
  CHECK(same_memory(a.bins, b.bins));
  CHECK(a.zero_gradients == b.zero_gradients);
  CHECK(a.all_gradients == b.all_gradients);
}

const Shape kImage{1, 1, 9, 9};

const std::vector<std::string> kAttacks = {
    "fgsm:eps=8/255",
    "pgd:norm=linf,eps=8/255,steps=4",
    "pgd:norm=l2,eps=0.5,alpha=0.2,steps=4",
    "pgd:norm=l2,eps=0.5,alpha=0.2,steps=3,random_start=sphere,keep=best",
    "pgd:norm=linf,eps=8/255,steps=3,restarts=3",
    "pgd:norm=linf,eps=8/255,steps=3,target=least_likely,restarts=2,keep=best",
    "pgd:norm=l2,eps=0.5,alpha=0.2,steps=3,target=random",
    "pgd:norm=linf,eps=8/255,steps=3,target=1",
};

/// A small network of random weights, and images for it.
struct Scene {
  explicit Scene(std::int64_t images, std::uint64_t seed = 1)
      : network(small_resnet(kImage, 4, 3), cpu()), split(random_split(images, kImage, 3, 2)) {
    randomize(network, seed);
  }

  Network network;
  const ImageSplit split;
};

}  // namespace

TEST_CASE("evaluator: adversarial examples do not depend on the batch size, 1, 7 or 64") {
  constexpr std::int64_t kImages = 71;  // no multiple of any
  struct Case {
    std::string name;
    Graph graph;
  };
  std::vector<Case> cases;
  cases.push_back({"resnet18, width 4, 1 x 12 x 12", small_resnet({1, 1, 12, 12}, 4, 3)});
  cases.push_back({"resnet18, width 16, 3 x 8 x 8", small_resnet({1, 3, 8, 8}, 16, 3)});
  cases.push_back(
      {"small_cnn", models::build("small_cnn:width=8",
                                  {.channels = 1, .height = 14, .width = 14, .mean = {}, .std = {}}, 3)});
  for (const Device* device : {&cpu(), &cpu_of_two_threads()})
    for (const Case& c : cases) {
      Network network(c.graph, *device);
      randomize(network, 5);
      const ImageSplit split = random_split(kImages, c.graph.input_shape(), 3, 6);
      // Two threads wait for each other, which is slow beside other tests: one attack of each norm has to do.
      const std::size_t attacks_tried = device->threads() == 1 ? kAttacks.size() : 3;
      for (std::size_t i = 0; i < attacks_tried; ++i) {
        const std::string& spec = kAttacks[i];
        CAPTURE(c.name);
        CAPTURE(device->threads());
        CAPTURE(spec);
        const attacks::Pgd attack(attacks::parse_pgd(spec));
        const Evaluation one = evaluate(network, split, attack, 1);
        check_same(one, evaluate(network, split, attack, 7));
        check_same(one, evaluate(network, split, attack, 64));
        CHECK(!same_bits(one.clean_logits, one.logits));
      }
    }
}

TEST_CASE("evaluator: a sample's result is the same alone, in another place of the batch, and among fewer") {
  Scene s(20);
  const attacks::Pgd attack(attacks::parse_pgd("pgd:eps=8/255,steps=3"));
  const Evaluation all = evaluate(s.network, s.split, attack, 20);
  Evaluator limited(s.network, s.split, attack,
                    {.batch = 8, .seed = 7, .limit = 11, .keep_images = KeepImages::yes});
  const Evaluation some = limited.run();
  CHECK(some.n == 11);
  CHECK(some.label.size() == 11);
  CHECK(some.logits.size() == 33);
  CHECK(same_bits(some.images, std::vector<float>(all.images.begin(), all.images.begin() + 11 * 81)));
  CHECK(same_bits(some.logits, std::vector<float>(all.logits.begin(), all.logits.begin() + 33)));
  Evaluator more(s.network, s.split, attack, {.batch = 8, .limit = 100});
  CHECK(more.run().n == 20);
}

TEST_CASE("evaluator: images that alone are kept are those of all") {
  Scene s(20);
  const attacks::Pgd attack(attacks::parse_pgd("pgd:eps=8/255,steps=3"));
  const Evaluation all = evaluate(s.network, s.split, attack, 20);
  const std::vector<std::int64_t> chosen{0, 7, 8, 19};
  for (const std::int64_t batch : {3, 8, 20}) {
    Evaluator evaluator(s.network, s.split, attack,
                        {.batch = batch, .seed = 7, .keep_images = KeepImages::yes, .keep_only = chosen});
    const Evaluation some = evaluator.run();
    REQUIRE(some.images.size() == chosen.size() * 81);
    for (std::size_t i = 0; i < chosen.size(); ++i)
      CHECK(same_bits(std::vector<float>(some.images.begin() + static_cast<std::ptrdiff_t>(i * 81),
                                         some.images.begin() + static_cast<std::ptrdiff_t>((i + 1) * 81)),
                      std::vector<float>(all.images.begin() + chosen[i] * 81,
                                         all.images.begin() + (chosen[i] + 1) * 81)));
  }
  CHECK_THROWS_AS(Evaluator(s.network, s.split, attack, {.keep_images = KeepImages::yes, .keep_only = {20}}),
                  Error);
}

TEST_CASE("evaluator: padding rows count nowhere") {
  Scene s(5);
  for (const std::string& spec : kAttacks) {
    CAPTURE(spec);
    const attacks::PgdSpec pgd = attacks::parse_pgd(spec);
    const Evaluation e = evaluate(s.network, s.split, attacks::Pgd(pgd), 64);  // 59 rows of padding
    check_same(e, evaluate(s.network, s.split, attacks::Pgd(pgd), 5));
    CHECK(total(e.all_gradients) == static_cast<std::uint64_t>(5 * pgd.steps * pgd.restarts));
    std::uint64_t binned = 0;
    for (const CalibrationBin& bin : e.bins) binned += bin.count;
    CHECK(binned == 5);
  }
}

TEST_CASE("evaluator: the confidence bins are those of the logits it hands out") {
  Scene s(50, 8);
  const Evaluation e =
      evaluate(s.network, s.split, attacks::Pgd(attacks::parse_pgd("pgd:eps=4/255,steps=2")), 16);
  const std::vector<double> p = attacks::softmax_rows(e.logits, 3);
  const std::vector<std::int32_t> predicted = attacks::argmax_rows(e.logits, 3);
  std::vector<CalibrationBin> bins(attacks::kCalibrationBins);
  std::vector<double> confidence(bins.size());
  for (std::size_t i = 0; i < 50; ++i) {
    const double top = p[3 * i + static_cast<std::size_t>(predicted[i])];
    const auto b = static_cast<std::size_t>(std::ceil(top * attacks::kCalibrationBins)) - 1;
    bins[b].count += 1;
    bins[b].correct += predicted[i] == e.label[i] ? 1 : 0;
    confidence[b] += top;
  }
  for (std::size_t b = 0; b < bins.size(); ++b) {
    CHECK(e.bins[b].count == bins[b].count);
    CHECK(e.bins[b].correct == bins[b].correct);
    CHECK(static_cast<double>(e.bins[b].confidence) * 0x1p-32 ==
          doctest::Approx(confidence[b]).epsilon(1e-6));
  }
}

TEST_CASE("evaluator: an attack on the batch's statistics never sees padding") {
  Scene s(12);
  ImageSplit rest = s.split;  // the last two
  rest.count = 2;
  rest.pixels.erase(rest.pixels.begin(), rest.pixels.begin() + 10 * 81);
  rest.labels.erase(rest.labels.begin(), rest.labels.begin() + 10);
  const attacks::Pgd fgsm(attacks::parse_pgd("fgsm:eps=8/255"), "fgsm");
  const Evaluation all = evaluate(s.network, s.split, fgsm, 5, 7, NormMode::batch_no_update);
  for (const std::int64_t batch : {2, 5}) {
    const Evaluation alone = evaluate(s.network, rest, fgsm, batch, 7, NormMode::batch_no_update);
    CHECK(same_bits(alone.images, std::vector<float>(all.images.end() - 2 * 81, all.images.end())));
    CHECK(same_bits(alone.logits, std::vector<float>(all.logits.end() - 6, all.logits.end())));
  }
  std::uint64_t binned = 0;
  for (const CalibrationBin& bin : all.bins) binned += bin.count;
  CHECK(binned == 12);
  CHECK(total(all.all_gradients) == 12);
}

TEST_CASE("evaluator: running it changes neither parameters nor running statistics") {
  Scene s(13);
  const std::vector<float> weights = all_weights(s.network), statistics = all_statistics(s.network);
  std::vector<std::unique_ptr<Perturbation>> attacks_to_run;
  attacks_to_run.push_back(std::make_unique<attacks::Clean>());
  for (const std::string& spec : kAttacks)
    attacks_to_run.push_back(std::make_unique<attacks::Pgd>(attacks::parse_pgd(spec)));
  for (const std::unique_ptr<Perturbation>& attack : attacks_to_run)
    for (const NormMode mode : {NormMode::frozen, NormMode::batch_no_update}) {
      evaluate(s.network, s.split, *attack, 5, 7, mode);
      CHECK(same_bits(weights, all_weights(s.network)));
      CHECK(same_bits(statistics, all_statistics(s.network)));
      CHECK(s.network.parameters().batches_tracked == 0);
    }
  check_throws(ErrorKind::usage, "would change the running statistics",
               [&] { evaluate(s.network, s.split, attacks::Clean{}, 5, 7, NormMode::batch); });
}

TEST_CASE("evaluator: it follows the network's weights from run to run") {
  Scene s(13);
  const attacks::Pgd attack(attacks::parse_pgd("pgd:eps=4/255,steps=2"));
  Evaluator evaluator(s.network, s.split, attack, {.batch = 5, .seed = 7, .keep_images = KeepImages::yes});
  const Evaluation before = evaluator.run();
  randomize(s.network, 2);
  const Evaluation after = evaluator.run();
  CHECK(!same_bits(before.clean_logits, after.clean_logits));
  check_same(after, evaluate(s.network, s.split, attack, 5));
}

TEST_CASE("evaluator: clean images go through unchanged and give the reference's logits") {
  const Shape image{1, 3, 9, 8};
  Network network(small_resnet(image, 4, 3), cpu());
  randomize(network, 1);
  const ImageSplit split = random_split(6, image, 3, 2);
  const Evaluation e = evaluate(network, split, attacks::Clean{}, 4);
  CHECK(same_bits(e.logits, e.clean_logits));
  CHECK(total(e.all_gradients) == 0);
  std::vector<double> x;
  for (std::int64_t i = 0; i < 6; ++i) {
    CHECK(attacked_image(e, i) == image_of(split, i));
    const std::vector<double> one = image_of(split, i);
    x.insert(x.end(), one.begin(), one.end());
  }
  Reference reference(network);
  CHECK(relative_error(e.logits, reference.forward(x, NormMode::frozen).logits()) <= 1e-5);
  const attacks::Robustness r = attacks::judge_robustness(e);
  CHECK(r.clean_correct == r.robust_correct);
  CHECK(r.largest.linf == 0);
  CHECK(r.zero_gradient_fraction == 0);
}

TEST_CASE("evaluator: progress is told after each batch, and may stop the run") {
  const Shape image{1, 1, 6, 6};
  Network network(tiny_graph(image, 2, 2), cpu());
  network.initialize(1);
  const ImageSplit split = random_split(10, image, 2, 2);
  Evaluator evaluator(network, split, attacks::Clean{}, {.batch = 4});
  std::vector<std::int64_t> told;
  CHECK(evaluator
            .run([&](std::int64_t done, std::int64_t all) {
              CHECK(all == 10);
              told.push_back(done);
            })
            .images.empty());
  CHECK(told == std::vector<std::int64_t>{4, 8, 10});
  check_throws(ErrorKind::interrupted, "stopped", [&] {
    evaluator.run([](std::int64_t done, std::int64_t) {
      if (done == 8) fail(ErrorKind::interrupted, "stopped");
    });
  });
  CHECK(evaluator.run().n == 10);  // and the evaluator is as good as before
}

TEST_CASE("evaluator: data and settings that do not fit are refused") {
  const Shape image{1, 1, 6, 6};
  Network network(tiny_graph(image, 2, 2), cpu());
  const ImageSplit split = random_split(10, image, 2, 2);
  const auto refuse = [&](ErrorKind kind, const char* part, const ImageSplit& data,
                          const EvaluatorSpec& spec) {
    check_throws(kind, part, [&] { Evaluator evaluator(network, data, attacks::Clean{}, spec); });
  };
  refuse(ErrorKind::usage, "batch is 0", split, {.batch = 0});
  refuse(ErrorKind::usage, "limit is -1", split, {.limit = -1});
  refuse(ErrorKind::bad_data, "images are 3 x 6 x 6 (channels, height, width), the network expects 1 x 6 x 6",
         random_split(10, {1, 3, 6, 6}, 2, 2), {});
  refuse(ErrorKind::bad_data, "split 'random' is empty", random_split(0, image, 2, 2), {});
  ImageSplit bad = split;
  bad.labels[3] = 2;
  refuse(ErrorKind::bad_data, "label 2 of image 3, expected 0 to 1", bad, {});
  bad = split;
  bad.labels.pop_back();
  refuse(ErrorKind::bad_data, "9 labels", bad, {});
}

TEST_CASE("evaluator: a network whose logits are no numbers has no accuracy") {
  const Shape image{1, 1, 6, 6};
  Network network(tiny_graph(image, 2, 2), cpu());
  network.initialize(1);
  std::vector<float> bias = find_weight(network, "fc3.bias");
  bias[0] = std::numeric_limits<float>::quiet_NaN();
  set_weight(network, "fc3.bias", bias);
  const Evaluation e = evaluate(network, random_split(4, image, 2, 2), attacks::Clean{}, 4);
  check_throws(ErrorKind::bad_data, "logits of image 0 hold nan", [&] { attacks::judge_robustness(e); });
  check_throws(ErrorKind::bad_data, "expected finite numbers", [&] { attacks::score(e); });
}

namespace {

/// Remembers in memory, and counts.
struct Memory final : attacks::AnswerStore {
  std::map<std::string, attacks::BatchAnswers> known;
  int recalled = 0;

  bool recall(const std::string& key, attacks::BatchAnswers& answers) override {
    const auto found = known.find(key);
    if (found == known.end()) return false;
    answers = found->second;
    ++recalled;
    return true;
  }
  void keep(const std::string& key, const attacks::BatchAnswers& answers) override { known[key] = answers; }
};

}  // namespace

TEST_CASE("evaluator: stopped after any batch it goes on from its answers, to the same end") {
  Scene s(13);
  const attacks::Pgd pgd({.eps = 0.02, .alpha = 0.01, .steps = 2});
  const auto run = [&](attacks::AnswerStore* answers, int batches, std::uint64_t seed = 7) {
    attacks::Evaluator evaluator(
        s.network, s.split, pgd,
        {.batch = 5, .seed = seed, .keep_images = attacks::KeepImages::yes, .answers = answers});
    const Evaluation e = evaluator.run([&](std::int64_t done, std::int64_t) {
      if (done / 5 == batches) throw Error(ErrorKind::interrupted, "enough");
    });
    return std::pair(e, evaluator.program().passes().forward);
  };
  const auto whole = run(nullptr, -1);
  for (int batches = 1; batches <= 2; ++batches) {
    Memory memory;
    check_throws(ErrorKind::interrupted, "enough", [&] { run(&memory, batches); });
    const auto rest = run(&memory, -1);
    CHECK(memory.recalled == batches);
    CHECK(rest.second == whole.second / 3 * (3 - batches));
    check_same(rest.first, whole.first);
    CHECK(rest.first.image_passes.forward == whole.first.image_passes.forward);
    // Another seed is another question, and answers that cannot be this batch's are none.
    CHECK(memory.known.size() == 3);
    run(&memory, -1, 8);
    CHECK(memory.known.size() == 6);
    memory.known.begin()->second.logits.pop_back();
    check_same(run(&memory, -1).first, whole.first);
  }
}

}  // namespace inocula::test
