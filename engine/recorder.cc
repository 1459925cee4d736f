// Recording steps, and turning the record into a Program.
#include "engine/recorder.h"

#include <algorithm>
#include <utility>

#include "engine/error.h"

namespace inocula {

namespace {

void add_once(std::vector<std::int32_t>& list, std::int32_t id) {
  if (std::find(list.begin(), list.end(), id) == list.end()) list.push_back(id);
}

}  // namespace

/// Learns what a step touches.
class TracingAccess final : public Access {
 public:
  explicit TracingAccess(StepUse& use) : use_(use) {}

 private:
  void* touch(const Tensor& t, Touch how) override {
    if (!t) return nullptr;
    if (how != Touch::write) add_once(use_.reads, t.id);
    if (how != Touch::read) add_once(use_.writes, t.id);
    return nullptr;
  }
  void* touch_scratch(std::size_t bytes) override {
    use_.scratch_bytes = std::max(use_.scratch_bytes, bytes);
    return nullptr;
  }
  StepUse& use_;
};

/// Answers the planned addresses.
class BindingAccess final : public Access {
 public:
  BindingAccess(const std::vector<void*>& external, const MemoryPlan& plan, std::byte* arena,
                std::size_t step)
      : external_(external), plan_(plan), arena_(arena), step_(step) {}

 private:
  void* touch(const Tensor& t, Touch) override {
    if (!t) return nullptr;
    auto* const whole = static_cast<std::byte*>(external_[t.id]);
    return (whole != nullptr ? whole : arena_ + plan_.offsets[t.id]) + t.offset;
  }
  void* touch_scratch(std::size_t bytes) override {
    return bytes == 0 ? nullptr : arena_ + plan_.scratch_offsets[step_];
  }
  const std::vector<void*>& external_;
  const MemoryPlan& plan_;
  std::byte* arena_;
  std::size_t step_;
};

Recorder::Recorder(const Device& device) : device_(device) {}

PlaneShape Recorder::planes(const Tensor& t) const {
  const Element element = t.dtype == DType::bf16 ? Element::bf16 : Element::f32;
  const std::int64_t block = t.layout == Layout::plain ? 1 : device_.backend().block(t.shape.c, element);
  return {t.shape.n, t.shape.c, t.shape.h, t.shape.w, block, element};
}

std::size_t Recorder::bytes_of(const Tensor& t) const {
  const auto elements = static_cast<std::size_t>(std::max<std::int64_t>(0, planes(t).size()));
  return t.dtype == DType::bits    ? (elements + 7) / 8
         : t.dtype == DType::bytes ? elements
         : t.dtype == DType::bf16  ? 2 * elements
                                   : 4 * elements;
}

Tensor Recorder::make(std::string name, Shape shape, DType dtype, Layout layout) {
  const Tensor t{static_cast<std::int32_t>(tensors_.size()), shape, dtype, layout};
  const std::size_t bytes = bytes_of(t);
  if (bytes == 0)
    fail(ErrorKind::internal, "Recorder::make: tensor '", name, "' of shape ", shape.to_string(),
         " is empty");
  tensors_.push_back({std::move(name), bytes});
  external_.push_back(nullptr);
  external_bytes_.push_back(0);
  return t;
}

Tensor Recorder::external(std::string name, void* memory, Shape shape, DType dtype, Layout layout) {
  if (memory == nullptr) fail(ErrorKind::internal, "Recorder::external: tensor '", name, "' has no memory");
  const Tensor t{static_cast<std::int32_t>(tensors_.size()), shape, dtype, layout};
  tensors_.push_back({std::move(name), 0, /*external=*/true});
  external_.push_back(memory);
  external_bytes_.push_back(bytes_of(t));
  return t;
}

Tensor Recorder::part(const Tensor& whole, std::int64_t first_image, std::int64_t images) const {
  Tensor before = whole, t = whole;
  before.shape.n = first_image;
  t.shape.n = images;
  const bool whole_bytes = whole.dtype != DType::bits || planes(before).size() % 8 == 0;
  if (first_image < 0 || images < 1 || first_image + images > whole.shape.n || !whole_bytes)
    fail(ErrorKind::internal, "Recorder::part: images ", first_image, " to ", first_image + images, " of '",
         tensor(whole.id).name, "' of shape ", whole.shape.to_string(),
         ", expected some of its images, from a whole byte on");
  t.offset += bytes_of(before);
  return t;
}

void Recorder::step(const std::string& name, std::function<Launch(Access&)> bind) {
  Step step{name, std::move(bind), {}, preparing_, std::exchange(beginning_, WholePass::none)};
  TracingAccess access(step.use);
  step.bind(access);
  steps_.push_back(std::move(step));
}

const std::byte* Recorder::memory_of(const Tensor& t) const {
  const auto* const whole = static_cast<const std::byte*>(external_[static_cast<std::size_t>(t.id)]);
  return whole == nullptr ? nullptr : whole + t.offset;
}

bool Recorder::written_since(std::size_t step, const Tensor& t) const {
  const auto* const begin = memory_of(t);
  const std::byte* const end = begin + bytes_of(t);
  for (; step < steps_.size(); ++step)
    for (const std::int32_t id : steps_[step].use.writes) {
      const auto* const other = static_cast<const std::byte*>(external_[static_cast<std::size_t>(id)]);
      if (other != nullptr && other < end && begin < other + external_bytes_[static_cast<std::size_t>(id)])
        return true;
    }
  return false;
}

Tensor Recorder::derive(const std::string& key, const Tensor& source, const std::function<Tensor()>& make) {
  const void* const memory = memory_of(source);
  if (memory == nullptr || open_loops_ > 0) return make();
  Derived& known = derived_[{memory, key}];
  if (!known.tensor || written_since(known.step, source)) {
    known.tensor = make();
    known.step = steps_.size();
  }
  return known.tensor;
}

void Recorder::copy(const std::string& name, const Tensor& from, const Tensor& to) {
  if (!(from.shape == to.shape) || from.layout != to.layout || from.dtype != to.dtype)
    fail(ErrorKind::internal, "Recorder::copy: '", name, "' from ", from.shape.to_string(), " to ",
         to.shape.to_string(), ", expected one shape, type and layout");
  const PlaneShape shape = planes(from);
  kernel(name, kernels().affine, [=](Access& at) {
    return Affine{at.in<void>(from), nullptr, nullptr, nullptr,
                  at.out<void>(to),  nullptr, shape,   Activation::none};
  });
}

void Recorder::conv(const std::string& name, std::shared_ptr<PreparedConv> conv,
                    std::function<ConvOperands(Access&)> operands) {
  keep(conv);
  step(name, [conv = std::move(conv), operands = std::move(operands)](Access& at) -> Launch {
    ConvOperands o = operands(at);
    o.scratch = at.scratch(conv->scratch_bytes());
    return o.y == nullptr && o.dx == nullptr && o.dw == nullptr ? Launch{} : conv->bind(o);
  });
}

void Recorder::loop(std::int64_t count, const std::function<void()>& body, const Tensor& done) {
  if (count < 1) fail(ErrorKind::internal, "Recorder::loop: count is ", count, ", expected at least 1");
  const std::size_t index = loops_.size();
  loops_.push_back({steps_.size(), steps_.size(), count, done.id});
  ++open_loops_;
  body();
  --open_loops_;
  loops_[index].end = steps_.size();
  if (loops_[index].end == loops_[index].begin)
    fail(ErrorKind::internal, "Recorder::loop: the body records nothing");
}

void Recorder::preparation(const std::function<void()>& body) {
  preparing_ = true;
  body();
  preparing_ = false;
}

MemoryPlan Recorder::plan(Preparation preparation) {
  std::vector<StepUse> uses;
  for (const Step& step : steps_) {
    uses.push_back(step.use);
    if (preparation == Preparation::kept && step.prepares)
      for (const std::int32_t t : step.use.writes) tensors_[static_cast<std::size_t>(t)].permanent = true;
  }
  return plan_memory(tensors_, uses, loops_);
}

std::size_t Recorder::planned_bytes(Preparation preparation) {
  return std::max(plan(preparation).arena_bytes, kArenaAlignment);
}

Program::LoopEnd Recorder::end_of(const LoopRange& loop, Program& program) const {
  if (loop.done < 0) return {};
  const auto id = static_cast<std::size_t>(loop.done);
  const Lifetime& life = program.plan_.lifetimes[id];
  if (tensors_[id].external || life.first >= loop.begin || life.last + 1 < loop.end)
    fail(ErrorKind::internal, "Recorder::loop: '", tensors_[id].name,
         "' says when it ends, expected a planned tensor that is carried through it");
  const std::size_t count = tensors_[id].bytes / sizeof(std::int32_t);
  program.done_.resize(std::max(program.done_.size(), count));
  return {program.arena_.as<std::byte>() + program.plan_.offsets[id], count};
}

Program Recorder::finish(Preparation preparation) {
  Program program;
  program.device_ = &device_;
  program.keeps_preparation_ = preparation == Preparation::kept;
  program.plan_ = plan(preparation);
  program.arena_ = Buffer(device_, std::max(program.plan_.arena_bytes, kArenaAlignment), Contents::undefined);
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    BindingAccess access(external_, program.plan_, program.arena_.as<std::byte>(), s);
    program.steps_.push_back(
        {std::move(steps_[s].name), steps_[s].bind(access), steps_[s].prepares, steps_[s].begins});
  }
  for (const LoopRange& loop : loops_) program.ends_.push_back(end_of(loop, program));
  program.loops_ = std::move(loops_);
  program.tensors_ = std::move(tensors_);
  program.kept_ = std::move(kept_);
  steps_.clear();
  program.capture();
  return program;
}

}  // namespace inocula
