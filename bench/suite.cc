// Flags in, results out.
#include "bench/suite.h"

#include <benchmark/benchmark.h>

#include <optional>

#include "bench/exits.h"
#include "engine/error.h"
#include "tools/thread_policy.h"

namespace inocula::bench {

namespace {

struct SuiteFlags {
  std::string device = "cpu", data;
  int threads = 0;
  Extent extent = Extent::full;
};

/// What follows `name` in an argument such as --device=cpu.
std::optional<std::string> value_of(const std::string& argument, const std::string& name) {
  if (argument.rfind(name, 0) != 0) return {};
  return argument.substr(name.size());
}

int parse_threads(const std::string& text) {
  const bool number = !text.empty() && text.size() <= 4 && text.find_first_not_of("0123456789") == text.npos;
  if (!number || std::stoi(text) < 1) fail(ErrorKind::usage, "--threads is '", text, "', expected 1 to 9999");
  return std::stoi(text);
}

/// Of the arguments that Google Benchmark has left over.
SuiteFlags parse_flags(int argc, char** argv) {
  SuiteFlags flags;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (const auto device = value_of(argument, "--device="))
      flags.device = *device;
    else if (const auto threads = value_of(argument, "--threads="))
      flags.threads = parse_threads(*threads);
    else if (const auto data = value_of(argument, "--data="))
      flags.data = *data;
    else if (argument == "--quick")
      flags.extent = Extent::quick;
    else
      fail(ErrorKind::usage, "unknown argument '", argument,
           "', expected --device=, --threads=, --data=, --quick or one of Google Benchmark's");
  }
  return flags;
}

/// The first line of a backend's description is the hardware's name; the caches' sizes and the host's name
/// Google Benchmark adds by itself.
void describe_run(const Device& device) {
  const std::string text = device.backend().describe();
  benchmark::AddCustomContext("machine", text.substr(0, text.find('\n')));
  benchmark::AddCustomContext("device", device.name());
  benchmark::AddCustomContext("threads", std::to_string(device.threads()));
  benchmark::AddCustomContext("isa", device.kernels().target);
}

/// What was registered refers to the suite, and Google Benchmark would keep it until after main().
struct RegisteredBenchmarks {
  RegisteredBenchmarks() = default;
  RegisteredBenchmarks(const RegisteredBenchmarks&) = delete;
  RegisteredBenchmarks& operator=(const RegisteredBenchmarks&) = delete;
  ~RegisteredBenchmarks() { benchmark::ClearRegisteredBenchmarks(); }
};

}  // namespace

int run_suite(int argc, char** argv, const std::function<void(Suite&)>& add) {
  prefer_sleeping_threads(argv);
  std::size_t matched = 0;
  const int code = exit_of(argv[0], [&] {
    benchmark::Initialize(&argc, argv);
    const SuiteFlags flags = parse_flags(argc, argv);
    Device device = Device::open(flags.device, {.threads = flags.threads});
    describe_run(device);
    Suite suite{std::move(device), flags.extent, flags.data, Roofs(suite.device, flags.extent)};
    const RegisteredBenchmarks registered;
    add(suite);
    matched = benchmark::RunSpecifiedBenchmarks();
  });
  return code == kExitFine && matched == 0 ? kExitUsage : code;  // of the filter Google Benchmark has told
}

}  // namespace inocula::bench
