// `inocula data`: looking at, converting and making image sets.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "io/array_file.h"
#include "io/dataset.h"
#include "io/synthetic.h"
#include "tools/command.h"
#include "tools/terminal.h"

namespace inocula {

namespace {

struct DataOptions {
  CommonOptions common;
  std::string in, out, kind = "chest";
  std::int64_t count = 2000, size = 28;
  bool json = false;
};

nlohmann::ordered_json to_json(const ImageData& data, const DataInfo& info) {
  nlohmann::ordered_json j{{"path", data.path},
                           {"dtype", "uint8"},
                           {"height", data.height},
                           {"width", data.width},
                           {"channels", data.channels},
                           {"classes", data.classes},
                           {"labels_per_image", data.label_columns}};
  for (const SplitInfo& s : info.splits)
    j["splits"][s.name] = {
        {"count", s.count}, {"class_counts", s.class_counts}, {"mean", s.mean}, {"repeated", s.repeated}};
  for (const SharedImages& s : info.shared)
    j["shared"].push_back(
        {{"earlier", s.earlier}, {"later", s.later}, {"count", s.count}, {"other_label", s.other_label}});
  return j;
}

void run_info(const DataOptions& o) {
  const ImageData data = load_image_data(o.in);
  const DataInfo info = describe(data);
  if (o.json) {
    std::printf("%s\n", to_json(data, info).dump(1).c_str());
    return;
  }
  std::printf("%s: uint8 images of %lld x %lld pixels, %lld channel%s, %lld %s\n", o.in.c_str(),
              static_cast<long long>(data.height), static_cast<long long>(data.width),
              static_cast<long long>(data.channels), data.channels == 1 ? "" : "s",
              static_cast<long long>(data.classes), data.multi_label() ? "labels an image" : "classes");
  for (const SplitInfo& s : info.splits) {
    std::printf("%-6s %8lld images", s.name.c_str(), static_cast<long long>(s.count));
    if (s.count == 0) {
      std::printf("\n");
      continue;
    }
    std::printf(data.multi_label() ? "; with each label" : "; by class");
    for (const std::int64_t c : s.class_counts) std::printf(" %lld", static_cast<long long>(c));
    std::printf("; mean");
    for (const double m : s.mean) std::printf(" %.4f", m);
    std::printf("; repeated %lld\n", static_cast<long long>(s.repeated));
  }
  for (const SharedImages& s : info.shared)
    if (s.count > 0)
      std::printf("%lld images of %s are also in %s (%lld with another label)\n",
                  static_cast<long long>(s.count), s.later.c_str(), s.earlier.c_str(),
                  static_cast<long long>(s.other_label));
}

void run_convert(const DataOptions& o) {
  require_array_file(o.out);
  const ImageData data = load_image_data(o.in);
  std::string others;
  for (const std::string& name : other_arrays(o.in)) others += (others.empty() ? "" : ", ") + name;
  if (!others.empty())
    Progress(o.common.quiet)
        .warn(o.in + ": holds arrays that are no images or labels and stay behind: " + others);
  save_image_data(o.out, data);
}

CLI::App* add_command(CLI::App& group, const char* name, const char* what,
                      const std::shared_ptr<DataOptions>& o) {
  CLI::App* app = group.add_subcommand(name, what);
  add_common(*app, o->common);
  return app;
}

}  // namespace

void add_data_commands(CLI::App& program, std::vector<Command>& commands) {
  CLI::App* group = program.add_subcommand("data", "Look at, convert or make image sets");
  group->require_subcommand(1);

  const auto info = std::make_shared<DataOptions>();
  CLI::App* app =
      add_command(*group, "info", "Shapes, classes, counts, means, duplicates across splits", info);
  app->add_option("FILE", info->in, "Image set: .npz in MedMNIST's layout, or HDF5")->required();
  app->add_flag("--json", info->json, "Print JSON");
  commands.push_back({app, [info] { run_info(*info); }});

  const auto convert = std::make_shared<DataOptions>();
  app = add_command(*group, "convert", "Between .npz and .h5", convert);
  app->add_option("IN", convert->in, "Image set to read")->required();
  app->add_option("OUT", convert->out, "Image set to write: .npz or .h5")->required();
  commands.push_back({app, [convert] { run_convert(*convert); }});

  const auto synth = std::make_shared<DataOptions>();
  app = add_command(*group, "synth", "A built-in synthetic set, whose classes differ in shape", synth);
  app->add_option("OUT", synth->out, "Image set to write: .npz or .h5")->required();
  app->add_option("--kind", synth->kind,
                  "chest, lesion, cells, or shortcut: chest under faint lines that betray the class")
      ->capture_default_str();
  app->add_option("--n", synth->count, "Images in all: 70 % train, 10 % val, 20 % test")
      ->capture_default_str();
  app->add_option("--size", synth->size, "Height and width in pixels")->capture_default_str();
  commands.push_back({app, [synth] {
                        require_array_file(synth->out);
                        save_image_data(synth->out, synthesize({.kind = synthetic_kind(synth->kind),
                                                                .count = synth->count,
                                                                .size = synth->size,
                                                                .seed = synth->common.seed}));
                      }});
}

}  // namespace inocula
