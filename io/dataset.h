// Labelled image sets in MedMNIST's layout: from and to .npz and HDF5, and what a set is made of.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/source.h"

namespace inocula {

/// Reads the arrays {train,val,test}_{images,labels} of an .npz or HDF5 file, whichever of the splits are
/// there. Images: uint8 (N, H, W), (N, H, W, 1), (N, H, W, 3), or volumes (N, D, H, W) with W above 4, whose
/// D slices become channels: the 2.5-D networks of MedMNIST v2 (Yang et al., Scientific Data 2023). Labels:
/// any integer type; (N) or (N, 1) of class numbers, 0 to 65535, or (N, L) of L >= 2 labels an image, each 0
/// or 1. Other arrays are passed over: see other_arrays. Errors: no_input when the file is missing, a folder
/// or unreadable; bad_data for everything that is not as above, for splits whose images differ in shape or
/// labels in number, and for a file without any image.
ImageData load_image_data(const std::string& path);

/// What a file holds besides the arrays of the layout, by name. Errors: as open_array_file.
std::vector<std::string> other_arrays(const std::string& path);

/// Writes .npz or HDF5 by extension; images (N, H, W), (N, H, W, 3) or volumes (N, D, H, W), labels (N, 1) or
/// (N, L) of uint8, or uint16 where a label needs it; empty splits are left out. Errors: as write_array_file.
void save_image_data(const std::string& path, const ImageData& data);

/// The split called "train", "val" or "test". Errors: usage for another name, bad_data when it has no image.
const ImageSplit& require_split(const ImageData& data, const std::string& name);

/// XXH3-128 of what a training run sees of a set, wherever its file lies and whatever its format: classes,
/// and shape, pixels and labels of the training and validation splits.
std::string training_digest(const ImageData& data);

/// Errors: bad_data naming the class or label that no training image has: nothing could be learnt of it, and
/// labels with a gap are most often no class numbers at all.
void require_every_class(const ImageData& data);

struct SplitInfo {
  std::string name;
  std::int64_t count = 0;
  std::vector<std::int64_t> class_counts;  ///< (classes): images of each class, or with each label
  std::vector<double> mean;                ///< (channels), in [0, 1]; empty for an empty split
  std::int64_t repeated = 0;               ///< images that an earlier image of the same split equals
};

/// How many images of `later` are equal, byte for byte, to one of `earlier`.
struct SharedImages {
  std::string earlier, later;
  std::int64_t count = 0;
  std::int64_t other_label = 0;  ///< of these, how many are labelled otherwise there
};

struct DataInfo {
  std::array<SplitInfo, 3> splits;     ///< train, val, test
  std::array<SharedImages, 3> shared;  ///< val in train, test in train, test in val
};

DataInfo describe(const ImageData& data);

}  // namespace inocula
