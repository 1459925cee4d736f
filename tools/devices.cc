// `inocula devices`: what hardware this program sees.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/command.h"

namespace inocula {

namespace {

struct DevicesOptions {
  CommonOptions common;
  bool json = false;
};

void run_devices(const DevicesOptions& o) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const DeviceReport& d : list_devices()) {
    list.push_back({{"name", d.name}, {"usable", d.usable}, {"description", d.description}});
    if (!o.json) std::printf("%s%s\n", d.name.c_str(), d.usable ? "" : " (not usable)");
    std::string line;
    for (const char c : d.description + "\n") {
      if (c != '\n') {
        line += c;
        continue;
      }
      if (!o.json) std::printf("    %s\n", line.c_str());
      line.clear();
    }
  }
  if (o.json) std::printf("%s\n", list.dump(1).c_str());
}

}  // namespace

void add_devices_command(CLI::App& program, std::vector<Command>& commands) {
  const auto o = std::make_shared<DevicesOptions>();
  CLI::App* app =
      program.add_subcommand("devices", "What hardware this program sees, and the libraries' versions");
  app->add_flag("--json", o->json, "Print JSON");
  add_common(*app, o->common);
  commands.push_back({app, [o] { run_devices(*o); }});
}

}  // namespace inocula
