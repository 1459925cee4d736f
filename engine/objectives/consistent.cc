// Views, one or several forwards, one loss over all of them.
#include "engine/objectives/consistent.h"

#include <cmath>
#include <optional>
#include <utility>

#include "engine/error.h"
#include "engine/recording.h"
#include "engine/victim.h"
#include "kernels/consistency.h"

namespace inocula {

ConsistentTraining::ConsistentTraining(std::string name, std::vector<const Perturbation*> views,
                                       double weight, ViewPasses passes, Divergence divergence)
    : name_(std::move(name)),
      views_(std::move(views)),
      weight_(weight),
      passes_(passes),
      divergence_(divergence) {
  if (divergence == Divergence::kullback_leibler && views_.size() != 1)
    fail(ErrorKind::usage, name_, ": ", views_.size(), " views, expected 1 beside the images as they are");
  if (views_.empty() || view_count() > kMostViews)
    fail(ErrorKind::usage, name_, ": ", views_.size(), " views, expected 1 to ", kMostViews - 1);
  if (!(weight >= 0) || !std::isfinite(weight))
    fail(ErrorKind::usage, name_, ": weight of the divergence is ", weight, ", expected 0 or more");
}

TrainingResult ConsistentTraining::record(Recorder& r, Network& network, const TrainingPorts& ports) const {
  const std::int64_t batch = ports.images.shape.n, count = view_count();
  if (ports.label.shape.c > 1)
    fail(ErrorKind::usage, name_, ": compares answers that are one class an image, and there are ",
         ports.label.shape.c, " labels an image; expected standard, pgd, fast, free or rtda");
  // All views lie one after another in one tensor.
  const Tensor x = r.make("views", ports.images.shape.with_batch(count * batch));
  const auto view_of = [&](const Tensor& all, std::int64_t view) { return r.part(all, view * batch, batch); };
  r.copy("consistent.copy", ports.images, view_of(x, 0));
  for (std::int64_t v = 1; v < count; ++v) {
    const Perturbation& view = *views_[static_cast<std::size_t>(v - 1)];
    const PerturbationPorts at{ports.images, ports.label, ports.sample, ports.state, {}, {}};
    // A network's weights are prepared for a view that looks at it alone.
    NoVictim nobody;
    std::optional<NetworkVictim> somebody;
    if (view.use() != VictimUse::none) somebody.emplace(r, network, batch, NormMode::frozen, view.use());
    Victim& victim = somebody ? static_cast<Victim&>(*somebody) : nobody;
    r.copy("consistent.copy", view.record(r, victim, at), view_of(x, v));
  }

  const bool together = passes_ == ViewPasses::together;
  const std::int64_t classes = network.graph().classes();
  Recording recording(r, network, together ? count * batch : batch,
                      {.norm = NormMode::batch, .input_gradient = false, .parameter_gradients = true});
  std::vector<ForwardTrace> traces;
  Tensor logits;
  if (together) {
    traces.push_back(recording.forward(x));
    logits = traces[0].logits;
  } else {
    logits = r.make("logits of all views", {count * batch, classes, 1, 1});
    for (std::int64_t v = 0; v < count; ++v) {
      traces.push_back(recording.forward(view_of(x, v)));
      r.copy("consistent.copy", traces.back().logits, view_of(logits, v));
    }
  }

  const Tensor dlogits = r.make("logit gradient", logits.shape);
  const Tensor loss = r.make("loss", {batch, 1, 1, 1});
  const Tensor predicted = r.make("predicted class", {batch, 1, 1, 1}, DType::i32);
  const bool jensen_shannon = divergence_ == Divergence::jensen_shannon;
  r.kernel(jensen_shannon ? "loss.jsd_ce" : "loss.kl_ce",
           jensen_shannon ? r.kernels().jsd_ce : r.kernels().kl_ce,
           [=, label = ports.label, weight = static_cast<float>(weight_)](Access& at) {
             ConsistencyCe a;
             a.logits = at.in(logits);
             a.label = at.in<std::int32_t>(label);
             a.dlogits = at.out(dlogits);
             a.loss = at.out(loss);
             a.predicted = at.out<std::int32_t>(predicted);
             a.rows = batch;
             a.classes = classes;
             a.views = static_cast<std::int32_t>(count);
             a.weight = weight;
             a.scale = 1.0f / static_cast<float>(batch);
             return a;
           });
  if (together)
    recording.backward(traces[0], dlogits);
  else
    for (std::int64_t v = 0; v < count; ++v)
      recording.backward(traces[static_cast<std::size_t>(v)], view_of(dlogits, v));
  return {loss, predicted};
}

std::int64_t ConsistentTraining::statistics_updates() const {
  return passes_ == ViewPasses::together ? 1 : view_count();
}

}  // namespace inocula
