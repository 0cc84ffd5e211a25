// Where the files of settings are: a directory, or a git repository. Everything here blocks: call it from a
// worker. Any thread.
//
// Errors: label_not_found; backend_unavailable, with what failed; backend_too_large (10,000 files, 64 MiB).
// Files and folders that begin with a dot are not read, nor are links that lead out of the directory.
#pragma once

#include <memory>
#include <string>

#include "libs/base/time.h"
#include "services/config/rules/environment.h"

namespace micropay::config {

class Backend {
 public:
  virtual ~Backend() = default;
  // The files at the label (target.h: is_label), at the default one when it is empty.
  virtual Result<FileTreePtr> tree(const std::string& label) = 0;
  // The label that is meant when none is given; empty where there is no such thing.
  virtual std::string default_label() const = 0;
  // Brings what is elsewhere (a remote repository) here.
  virtual Result<void> refresh() { return {}; }
};

constexpr size_t kMaxFiles = 10'000;
constexpr size_t kMaxTreeBytes = 64 << 20;

// A directory. Its subfolder with the label's name, if there is one, is stronger than itself.
std::unique_ptr<Backend> directory_backend(const std::string& folder);

struct GitOptions {
  std::string repository;  // a path, or https://, ssh://, file:// of a remote one
  std::string label;       // the default: "main"
  std::string work;        // a folder of ours for the copy of a remote one
  Duration timeout = 30 * kSecond;
};
// A repository, read by the git command without ever checking anything out. A path is read in place.
std::unique_ptr<Backend> git_backend(GitOptions options);

}  // namespace micropay::config
