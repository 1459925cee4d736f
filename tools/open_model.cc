// Card, graph, weights.
#include "tools/open_model.h"

#include "engine/error.h"
#include "models/registry.h"
#include "tools/network_files.h"

namespace inocula {

OpenModel open_model(const std::string& path, const Device& device) {
  const ModelFiles files = find_model(path);
  OpenModel m;
  m.card = read_model_card(files.card);
  const models::InputSpec input{m.card.channels, m.card.height, m.card.width, m.card.mean, m.card.deviation};
  m.network = std::make_unique<Network>(models::build(m.card.spec, input, m.card.classes), device);
  load_network(files.weights, *m.network);
  return m;
}

void require_match(const ModelCard& card, const ImageData& data) {
  if (card.channels != data.channels || card.height != data.height || card.width != data.width)
    fail(ErrorKind::bad_data, data.path, ": images are ", data.channels, " x ", data.height, " x ", data.width,
         " (channels, height, width), the model expects ", card.channels, " x ", card.height, " x ", card.width);
  if (data.classes > card.classes)
    fail(ErrorKind::bad_data, data.path, ": has ", data.classes, " classes, the model knows ", card.classes);
}

}  // namespace inocula
