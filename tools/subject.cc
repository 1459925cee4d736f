// Card, graph, weights, images.
#include "tools/subject.h"

#include "engine/error.h"
#include "io/dataset.h"
#include "models/registry.h"
#include "tools/network_files.h"

namespace inocula {

namespace {

const SubjectOptions& complete(const SubjectOptions& o) {
  require_flag(o.model, "--model");
  require_flag(o.data, "--data");
  return o;
}

/// A card is a file: what it asks for and cannot be had is bad data there, and no misuse of the command.
Graph build_graph(const std::string& path, const ModelCard& card, const models::InputSpec& input) {
  try {
    return models::build(card.spec, input, card.classes);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::usage) throw;
    fail(ErrorKind::bad_data, path, ": ", e.what());
  }
}

/// From a run folder or a .safetensors file beside its model.json.
std::unique_ptr<Network> open_network(const ModelFiles& files, const ModelCard& card, const Device& device) {
  const models::InputSpec input{card.channels, card.height, card.width, card.mean, card.deviation};
  auto network = std::make_unique<Network>(build_graph(files.card, card, input), device);
  load_network(files.weights, *network);
  return network;
}

void require_match(const ModelCard& card, const ImageData& data) {
  if (card.channels != data.channels || card.height != data.height || card.width != data.width)
    fail(ErrorKind::bad_data, data.path, ": images are ", data.channels, " x ", data.height, " x ",
         data.width, " (channels, height, width), the model expects ", card.channels, " x ", card.height,
         " x ", card.width);
  if ((card.task == Task::multi_label) != data.multi_label())
    fail(ErrorKind::bad_data, data.path, ": has ", data.label_columns,
         data.multi_label() ? " labels" : " label", " an image, the model is ", to_string(card.task),
         ", expected ", card.task == Task::multi_label ? "several labels" : "one class", " an image");
  if (data.multi_label() && data.classes != card.classes)
    fail(ErrorKind::bad_data, data.path, ": has ", data.classes, " labels an image, the model answers ",
         card.classes);
  if (data.classes > card.classes)
    fail(ErrorKind::bad_data, data.path, ": has ", data.classes, " classes, the model knows ", card.classes);
}

}  // namespace

void SubjectOptions::add_flags(CLI::App& app) {
  app.add_option("--model", model, "Run folder, or a model.safetensors beside its model.json");
  app.add_option("--data", data, "Images: .npz in MedMNIST's layout, or HDF5");
  app.add_option("--split", split, "train, val or test")->capture_default_str();
  app.add_option("--batch", batch, "Images at a time; changes no result (but see --attack-bn)")
      ->capture_default_str();
  add_common(app, common);
}

Subject::Subject(const SubjectOptions& o) : device(complete(o).common.open_device()) {
  const ModelFiles files = find_model(o.model);
  card = read_model_card(files.card);
  network = open_network(files, card, device);
  data = load_image_data(o.data);
  require_match(card, data);
  split = &require_split(data, o.split);
}

}  // namespace inocula
