// A file that grows by whole records, each under a name: what a long computation has found so far.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace inocula {

/// What add() has returned from survives the death of the process; of what the machine's death leaves, whole
/// records are taken. Names and contents are told apart by XXH3-128, so that a damaged record is no record.
class RecordFile {
 public:
  enum class Begin {
    anew,        ///< what is there is lost
    again,       ///< what is there is kept
    where_same,  ///< kept if it is of the same identity, else lost
  };

  /// `identity` tells what all records depend on. Errors: cannot_create with the system's reason, or where
  /// another process has the file; bad_data where another kind of file has the name; config where, with
  /// again, the records are of another identity.
  RecordFile(const std::string& path, Begin begin, std::string_view identity);
  /// A file that got no record goes.
  ~RecordFile();
  RecordFile(const RecordFile&) = delete;
  RecordFile& operator=(const RecordFile&) = delete;

  /// The content of the record of that name, the latest one among several. Errors: io.
  std::optional<std::string> find(std::string_view name) const;
  /// Errors: io; the file then holds what it held before.
  void add(std::string_view name, std::string_view content);
  /// Takes the file away. Nothing may be asked of it then but its end.
  void remove();

 private:
  struct Place {
    std::uint64_t begin = 0, bytes = 0;  ///< of the content
  };

  void read(const std::string& head);

  std::string path_;
  int descriptor_ = -1;
  bool removed_ = false;
  std::uint64_t end_ = 0;                          ///< of the last whole record
  std::unordered_map<std::string, Place> places_;  ///< by the digest of the name
};

}  // namespace inocula
