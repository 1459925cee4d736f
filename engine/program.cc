// Replaying a Program, and saying what it needs.
#include "engine/program.h"

#include <algorithm>
#include <cstring>
#include <iomanip>
#include <limits>
#include <map>
#include <sstream>

#include "engine/error.h"

namespace inocula {

namespace {

/// Every turn of every loop.
constexpr auto kAllTurns = [](std::size_t) { return true; };

/// Launches that a backend is asked to start as one where a loop repeats them: a step of PGD-20 on ResNet-18
/// takes 1,500. What a graph costs to make and to keep grows with them.
constexpr std::int64_t kMostLaunches = 4096;

}  // namespace

bool Program::starts_loop(std::size_t s, std::size_t end, std::size_t& loop) const {
  while (loop < loops_.size() && loops_[loop].begin < s) ++loop;
  return loop < loops_.size() && loops_[loop].begin == s && loops_[loop].end <= end;
}

// Steps [begin, end), where loops_[loop] and later ones may start in that range.
template <class Visit, class More>
void Program::visit(std::size_t begin, std::size_t end, std::size_t loop, const Visit& visit_step,
                    const More& more) const {
  for (std::size_t s = begin; s < end;) {
    if (!starts_loop(s, end, loop)) {
      visit_step(s++);
      continue;
    }
    const LoopRange& range = loops_[loop];
    for (std::int64_t turn = 0; turn < range.count && (turn == 0 || more(loop)); ++turn)
      visit(range.begin, range.end, loop + 1, visit_step, more);
    s = range.end;
  }
}

bool Program::is_due(std::size_t l) {
  const LoopEnd& end = ends_[l];
  if (end.memory == nullptr) return true;
  device_->backend().download(done_.data(), end.memory, end.count * sizeof(std::int32_t));
  return std::find(done_.begin(), done_.begin() + static_cast<std::ptrdiff_t>(end.count), 0) !=
         done_.begin() + static_cast<std::ptrdiff_t>(end.count);
}

void Program::run(Preparation preparation) {
  if (device_ == nullptr) fail(ErrorKind::internal, "Program::run: nothing was recorded");
  const bool skip = preparation == Preparation::kept;
  if (skip && !(keeps_preparation_ && prepared_))
    fail(ErrorKind::internal, "Program::run: there is no preparation to keep");
  if (const Segments& segments = skip ? without_preparation_ : whole_; !segments.empty()) {
    replay(segments);
  } else {
    // Two words of captures: a std::function keeps them without an allocation.
    device_->backend().run([this, preparation](const Queue& queue) {
      visit(
          0, steps_.size(), 0,
          [&](std::size_t s) {
            const Step& step = steps_[s];
            if (is_left_out(step, preparation)) return;
            step.launch(queue);
            device_->backend().require_enqueued(step.name);
            count(step, passes_);
          },
          [this](std::size_t l) { return is_due(l); });
    });
  }
  prepared_ = true;
}

bool Program::stays_loop(std::size_t l) const {
  const LoopRange& range = loops_[l];
  if (ends_[l].memory != nullptr) return true;
  std::int64_t launches = 0;
  bool may_end_early = false;
  visit(
      range.begin, range.end, l + 1, [&](std::size_t) { ++launches; },
      [&](std::size_t inner) {
        may_end_early = may_end_early || ends_[inner].memory != nullptr;
        return launches <= kMostLaunches;
      });
  return may_end_early || launches * range.count > kMostLaunches;
}

bool Program::take_down(std::size_t begin, std::size_t end, std::size_t loop, Preparation preparation,
                        Segments& to) const {
  std::vector<NamedLaunch> launches;
  PassCount passes;
  const auto add = [&](std::size_t s) {
    if (is_left_out(steps_[s], preparation)) return;
    launches.push_back({steps_[s].name, steps_[s].launch});
    count(steps_[s], passes);
  };
  const auto end_segment = [&] {
    if (launches.empty()) return true;
    std::unique_ptr<Replay> replay = device_->backend().capture(launches);
    if (!replay) return false;
    to.push_back({std::move(replay), passes, 0, {}});
    launches.clear();
    passes = {};
    return true;
  };
  for (std::size_t s = begin; s < end;) {
    if (!starts_loop(s, end, loop)) {
      add(s++);
      continue;
    }
    const LoopRange& range = loops_[loop];
    if (stays_loop(loop)) {
      Segments turn;
      if (!end_segment() || !take_down(range.begin, range.end, loop + 1, preparation, turn)) return false;
      if (!turn.empty()) to.push_back({nullptr, {}, loop, std::move(turn)});
    } else {
      for (std::int64_t turn = 0; turn < range.count; ++turn)
        visit(range.begin, range.end, loop + 1, add, kAllTurns);
    }
    s = range.end;
  }
  return end_segment();
}

void Program::capture() {
  Segments whole, without_preparation;
  if (!take_down(0, steps_.size(), 0, Preparation::repeated, whole)) return;
  if (keeps_preparation_) take_down(0, steps_.size(), 0, Preparation::kept, without_preparation);
  whole_ = std::move(whole);
  without_preparation_ = std::move(without_preparation);
}

void Program::replay(const Segments& segments) {
  for (const Segment& segment : segments) {
    if (segment.replay) {
      segment.replay->launch();
      passes_.forward += segment.passes.forward;
      passes_.backward += segment.passes.backward;
      continue;
    }
    const std::int64_t turns = loops_[segment.loop].count;
    for (std::int64_t turn = 0; turn < turns && (turn == 0 || is_due(segment.loop)); ++turn)
      replay(segment.turn);
  }
}

std::vector<PartTime> Program::run_timed() {
  const std::unique_ptr<Stopwatch> watch = device_->backend().make_stopwatch();
  std::vector<std::size_t> ran;
  device_->backend().run([&](const Queue& queue) {
    visit(
        0, steps_.size(), 0,
        [&](std::size_t s) {
          watch->begin();
          steps_[s].launch(queue);
          watch->end();
          ran.push_back(s);
        },
        [this](std::size_t l) { return is_due(l); });
  });
  std::map<std::string, PartTime> parts;
  const std::vector<double> laps = watch->laps();
  for (std::size_t i = 0; i < ran.size(); ++i) {
    PartTime& part = parts[steps_[ran[i]].name];
    part.count += 1;
    part.seconds += laps[i];
  }
  std::vector<PartTime> result;
  for (auto& [name, part] : parts) {
    part.name = name;
    result.push_back(part);
  }
  std::stable_sort(result.begin(), result.end(),
                   [](const PartTime& a, const PartTime& b) { return a.seconds > b.seconds; });
  return result;
}

Footprint Program::footprint() const {
  Footprint f;
  f.arena_bytes = plan_.arena_bytes;
  f.sum_bytes = plan_.sum_bytes;
  f.steps = steps_.size();
  visit(
      0, steps_.size(), 0, [&](std::size_t) { f.launches += 1; }, kAllTurns);
  for (std::size_t t = 0; t < tensors_.size(); ++t)
    if (!tensors_[t].external && plan_.lifetimes[t].first <= plan_.lifetimes[t].last)
      f.items.push_back(
          {tensors_[t].name, tensors_[t].bytes, plan_.lifetimes[t].first, plan_.lifetimes[t].last});
  std::stable_sort(f.items.begin(), f.items.end(),
                   [](const Footprint::Item& a, const Footprint::Item& b) { return a.bytes > b.bytes; });
  return f;
}

std::string Footprint::to_string() const {
  constexpr double kMebibyte = 1024.0 * 1024.0;
  constexpr std::size_t kShown = 12;
  std::ostringstream text;
  text << std::fixed << std::setprecision(1) << steps << " steps, " << launches << " launches, "
       << static_cast<double>(arena_bytes) / kMebibyte << " MiB in one arena ("
       << static_cast<double>(sum_bytes) / kMebibyte << " MiB without sharing)\n";
  for (std::size_t i = 0; i < items.size() && i < kShown; ++i)
    text << std::setw(10) << static_cast<double>(items[i].bytes) / kMebibyte << " MiB  steps "
         << items[i].first << " to " << items[i].last << "  " << items[i].name << "\n";
  if (items.size() > kShown) text << "           and " << items.size() - kShown << " smaller ones\n";
  return text.str();
}

void Program::poison() {
  const std::vector<float> nan(arena_.bytes() / sizeof(float), std::numeric_limits<float>::quiet_NaN());
  arena_.upload(nan.data(), nan.size());
  prepared_ = false;
}

}  // namespace inocula
