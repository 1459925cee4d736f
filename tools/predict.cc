// `inocula predict`: logits of a split, as arrays.
#include <cstdio>
#include <memory>

#include "attacks/clean.h"
#include "attacks/evaluate.h"
#include "io/array_file.h"
#include "tools/command.h"
#include "tools/subject.h"

namespace inocula {

namespace {

struct PredictOptions {
  SubjectOptions subject;
  std::string out;
};

void run_predict(const PredictOptions& o) {
  require_flag(o.out, "--out");
  require_array_file(o.out);
  const Subject s(o.subject);
  const attacks::Clean clean;
  attacks::Evaluator evaluator(*s.network, *s.split, clean,
                               {.batch = o.subject.batch, .seed = o.subject.common.seed});
  const attacks::Evaluation e = evaluator.run();
  write_array_file(o.out,
                   {{"logits", view_of(e.logits, {e.n, e.classes})}, {"labels", view_of(e.label, {e.n})}});
  if (!o.subject.common.quiet)
    std::printf("%s: logits (%lld, %lld)\n", o.out.c_str(), static_cast<long long>(e.n),
                static_cast<long long>(e.classes));
}

}  // namespace

void add_predict_command(CLI::App& program, std::vector<Command>& commands) {
  const auto o = std::make_shared<PredictOptions>();
  CLI::App* app =
      program.add_subcommand("predict", "Logits of a split, as arrays logits (N, K) and labels (N)");
  o->subject.add_flags(*app);
  app->add_option("--out", o->out, "File to write: .npz or .h5");
  commands.push_back({app, [o] { run_predict(*o); }});
}

}  // namespace inocula
