// A git repository: labels become commits, commits become trees, which never change and are kept. The git
// command rather than a library: it reads every form of repository, and what a repository holds is parsed by
// another process than the one that has the keys.
#include <sys/stat.h>

#include <charconv>
#include <deque>
#include <filesystem>
#include <mutex>

#include "libs/base/log.h"
#include "services/config/backend.h"
#include "services/config/git_command.h"
#include "services/config/rules/document.h"
#include "services/config/rules/target.h"

namespace micropay::config {
namespace {

constexpr size_t kKeptTrees = 16;

bool is_remote(std::string_view repository) {
  return repository.starts_with("https://") || repository.starts_with("ssh://") ||
         repository.starts_with("file://");
}

bool is_hash(std::string_view text) {
  return text.size() >= 7 && text.size() <= 64 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

struct Blob {
  std::string hash;
  std::string path;
  size_t size = 0;
};

// "100644 blob <hash>    <size>\t<path>\0" each. What is hidden, a link or too large is left out.
std::vector<Blob> parse_listing(std::string_view listing) {
  std::vector<Blob> blobs;
  while (!listing.empty()) {
    const std::string_view entry = listing.substr(0, listing.find('\0'));
    listing.remove_prefix(std::min(entry.size() + 1, listing.size()));
    const size_t tab = entry.find('\t');
    if (tab == entry.npos || !entry.starts_with("100")) continue;
    const std::string_view head = entry.substr(0, tab);
    const size_t hash_at = head.find(' ', 7) + 1;
    const size_t hash_end = head.find(' ', hash_at);
    const size_t size_at = head.find_last_of(' ') + 1;
    Blob blob{.hash = std::string(head.substr(hash_at, hash_end - hash_at)),
              .path = std::string(entry.substr(tab + 1))};
    std::from_chars(head.data() + size_at, head.data() + head.size(), blob.size);
    const bool hidden = blob.path.starts_with('.') || blob.path.find("/.") != blob.path.npos;
    if (!hidden && blob.size <= kMaxFileBytes) blobs.push_back(std::move(blob));
  }
  return blobs;
}

class GitBackend final : public Backend {
 public:
  explicit GitBackend(GitOptions options) : options_(std::move(options)) {
    remote_ = is_remote(options_.repository);
    folder_ = remote_ ? options_.work + "/repository.git" : options_.repository;
  }

  Result<FileTreePtr> tree(const std::string& label) override;
  std::string default_label() const override { return options_.label; }
  Result<void> refresh() override;

 private:
  std::string git_folder() const;
  Result<std::string> git(std::vector<std::string> arguments, const std::string& input = {}) const;
  Result<std::string> commit_of(const std::string& label) const;
  Result<FileTreePtr> read(const std::string& commit) const;
  Result<void> take_contents(std::string_view answer, const std::vector<Blob>& blobs, FileTree& tree) const;
  Result<void> bring_here();

  GitOptions options_;
  std::string folder_;
  bool remote_ = false;
  std::mutex remote_mutex_;  // one fetch at a time
  std::atomic<bool> here_ = false;
  std::mutex mutex_;
  std::deque<FileTreePtr> trees_;  // the last used first; guarded by mutex_
};

// Said, not searched for: a folder that is no repository must not lead to one around it.
std::string GitBackend::git_folder() const {
  return "--git-dir=" + (std::filesystem::exists(folder_ + "/.git") ? folder_ + "/.git" : folder_);
}

// The output of a command that has to succeed.
Result<std::string> GitBackend::git(std::vector<std::string> arguments, const std::string& input) const {
  arguments.insert(arguments.begin(), git_folder());
  GitRun run = TRY(run_git(arguments, input, {.timeout = options_.timeout}));
  if (run.status != 0)
    return fail(Code::kUnavailable, "backend_unavailable", fmt::format("git: {}", run.error.substr(0, 500)));
  return std::move(run.out);
}

// A branch before a tag before a commit, as Spring has it.
Result<std::string> GitBackend::commit_of(const std::string& label) const {
  std::vector<std::string> names = {"refs/heads/" + label, "refs/tags/" + label,
                                    "refs/remotes/origin/" + label};
  if (is_hash(label)) names.push_back(label);
  for (const std::string& name : names) {
    GitRun run = TRY(
        run_git({git_folder(), "rev-parse", "--verify", "--quiet", "--end-of-options", name + "^{commit}"},
                {}, {.timeout = options_.timeout, .max_out_bytes = 4'096}));
    while (run.out.ends_with('\n')) run.out.pop_back();
    if (run.status == 0 && is_hash(run.out)) return std::move(run.out);
    const bool ambiguous = name == label;  // a short hash of several commits
    if (run.status != 0 && run.status != 1 && !ambiguous)
      return fail(Code::kUnavailable, "backend_unavailable",
                  fmt::format("git: {}", run.error.substr(0, 500)));
  }
  return fail(Code::kNotFound, "label_not_found", fmt::format("No such label: {}", label), "label");
}

Result<FileTreePtr> GitBackend::tree(const std::string& label) {
  const std::string& wanted = label.empty() ? options_.label : label;
  if (!is_label(wanted))
    return fail(Code::kInvalidArgument, "invalid_label", "That is no name of a branch, tag or commit.",
                "label");
  TRY(bring_here());
  const std::string commit = TRY(commit_of(wanted));
  std::scoped_lock lock(mutex_);
  for (size_t i = 0; i < trees_.size(); ++i) {
    if (trees_[i]->version != commit) continue;
    FileTreePtr found = trees_[i];
    trees_.erase(trees_.begin() + ptrdiff_t(i));
    return trees_.emplace_front(std::move(found));
  }
  trees_.push_front(TRY(read(commit)));
  if (trees_.size() > kKeptTrees) trees_.pop_back();
  return trees_.front();
}

Result<FileTreePtr> GitBackend::read(const std::string& commit) const {
  const auto blobs = parse_listing(TRY(git({"ls-tree", "-r", "-z", "-l", "--full-tree", commit})));
  size_t bytes = 0;
  std::string wanted;
  for (const Blob& blob : blobs) bytes += blob.size, wanted += blob.hash + "\n";
  if (blobs.size() > kMaxFiles || bytes > kMaxTreeBytes)
    return fail(Code::kUnavailable, "backend_too_large",
                fmt::format("{} has more than {} files or {} bytes", commit, kMaxFiles, kMaxTreeBytes));
  auto tree = std::make_shared<FileTree>();
  tree->location = options_.repository + "/";
  tree->version = commit;
  if (!blobs.empty()) TRY(take_contents(TRY(git({"cat-file", "--batch"}, wanted)), blobs, *tree));
  return tree;
}

// "<hash> blob <size>\n<content>\n" each, in the order asked for.
Result<void> GitBackend::take_contents(std::string_view answer, const std::vector<Blob>& blobs,
                                       FileTree& tree) const {
  for (const Blob& blob : blobs) {
    const size_t end = answer.find('\n');
    if (end == answer.npos || !answer.starts_with(blob.hash) || answer.size() < end + 1 + blob.size + 1)
      return fail(Code::kUnavailable, "backend_unavailable", fmt::format("git does not give {}", blob.path));
    tree.files.emplace(blob.path, answer.substr(end + 1, blob.size));
    answer.remove_prefix(end + 1 + blob.size + 1);
  }
  return {};
}

// The first copy of a remote repository; nothing to do for one that is a path, or is here.
Result<void> GitBackend::bring_here() {
  if (!remote_ || here_) return {};
  std::scoped_lock lock(remote_mutex_);
  if (here_) return {};
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error)
    return fail(Code::kUnavailable, "backend_unavailable", fmt::format("{}: {}", folder_, error.message()));
  if (!std::filesystem::exists(folder_ + "/HEAD")) TRY(git({"init", "--quiet", "--bare"}));
  const auto fetched = git({"fetch", "--quiet", "--prune", "--no-tags", "--end-of-options",
                            options_.repository, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"});
  // A copy of an earlier run is better than nothing.
  if (!fetched && TRY(git({"for-each-ref", "--count=1"})).empty()) return std::unexpected(fetched.error());
  here_ = true;
  return {};
}

Result<void> GitBackend::refresh() {
  if (!remote_) return {};
  if (!here_) return bring_here();
  std::scoped_lock lock(remote_mutex_);
  TRY(git({"fetch", "--quiet", "--prune", "--no-tags", "--end-of-options", options_.repository,
           "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"}));
  return {};
}

}  // namespace

std::unique_ptr<Backend> git_backend(GitOptions options) {
  return std::make_unique<GitBackend>(std::move(options));
}

}  // namespace micropay::config
