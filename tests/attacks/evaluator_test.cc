// Evaluation: a sample's adversarial example is its own whatever the batch; padding counts nowhere; models stay as they are.
#include "attacks/evaluate.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "attacks/clean.h"
#include "attacks/pgd.h"
#include "attacks/registry.h"
#include "models/registry.h"
#include "tests/engine/graphs.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

using attacks::Evaluation;
using attacks::Evaluator;
using attacks::EvaluatorSpec;
using attacks::KeepImages;

Evaluation evaluate(Network& network, const ImageSplit& split, const Perturbation& attack, std::int64_t batch,
                    std::int64_t limit = 0, std::uint64_t seed = 7) {
  Evaluator evaluator(network, split, attack, {.batch = batch, .seed = seed, .limit = limit, .keep_images = KeepImages::yes});
  return evaluator.run();
}

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
  cases.push_back({"small_cnn", models::build("small_cnn:width=8", {.channels = 1, .height = 14, .width = 14, .mean = {}, .std = {}}, 3)});
  for (const Device* device : {&cpu(), &cpu_of_two_threads()})
    for (const Case& c : cases) {
      Network network(c.graph, *device);
      randomize(network, 5);
      const ImageSplit split = random_split(kImages, c.graph.input_shape(), 3, 6);
      for (const std::string& spec : kAttacks) {
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

}  // namespace inocula::test
