// What stands before a network, or behind it, and is attacked and judged as a part of it.
#pragma once

#include <memory>
#include <string>

#include "engine/network.h"
#include "engine/recorder.h"
#include "engine/victim.h"

namespace inocula::attacks {

class Defence {
 public:
  virtual ~Defence() = default;

  /// Names it with everything that its answers depend on.
  virtual std::string spec() const = 0;
  /// The network as it is seen from outside: as many classes, images of the same shape. `inner` outlives it.
  virtual std::unique_ptr<Victim> record(Recorder& r, Victim& inner) const = 0;
};

/// A network with its defence, where it has one.
class Defended {
 public:
  Defended(Recorder& r, Network& network, std::int64_t batch, NormMode norm, VictimUse use,
           const Defence* defence)
      : network_(std::make_unique<NetworkVictim>(r, network, batch, norm, use)),
        wrapped_(defence != nullptr ? defence->record(r, *network_) : nullptr) {}

  Victim& front() const { return wrapped_ ? *wrapped_ : *network_; }

 private:
  std::unique_ptr<NetworkVictim> network_;
  std::unique_ptr<Victim> wrapped_;
};

}  // namespace inocula::attacks
