// A trained model from disk, ready on a device.
#pragma once

#include <memory>
#include <string>

#include "engine/network.h"
#include "engine/source.h"
#include "io/model_card.h"

namespace inocula {

struct OpenModel {
  ModelCard card;
  std::unique_ptr<Network> network;
};

/// From a run folder or a .safetensors file beside its model.json. Errors: no_input, bad_data.
OpenModel open_model(const std::string& path, const Device& device);

/// Errors: bad_data where the data's images or classes are not the model's, naming both.
void require_match(const ModelCard& card, const ImageData& data);

}  // namespace inocula
