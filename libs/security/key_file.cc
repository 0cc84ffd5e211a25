#include "libs/security/key_file.h"

#include <fcntl.h>
#include <simdjson.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "libs/security/encoding.h"

namespace micropay::key_file {
namespace {

std::string path_of(const std::string& folder) { return folder + "/keys.json"; }

std::unexpected<Error> unavailable(const std::string& path, std::string_view what) {
  return fail(Code::kUnavailable, "keys_unavailable", fmt::format("{}: {}", path, what));
}

std::string to_json(const std::vector<SigningKey>& keys) {
  const auto text = [](const auto& bytes) {
    return to_base64url({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  };
  std::string out = "{\"keys\":[";
  for (const SigningKey& key : keys) {
    out += fmt::format(R"({}{{"kty":"OKP","crv":"Ed25519","kid":"{}","x":"{}","d":"{}","created":"{}")",
                       &key == &keys.front() ? "\n" : ",\n", key.id, text(key.public_key), text(key.seed),
                       format_time(key.created));
    if (key.not_before != 0) out += fmt::format(R"(,"not_before":"{}")", format_time(key.not_before));
    if (key.retired != 0) out += fmt::format(R"(,"retired":"{}")", format_time(key.retired));
    out += "}";
  }
  return out + "\n]}\n";
}

// None when a member is missing or does not fit the others.
std::optional<SigningKey> from_json(simdjson::dom::element element) {
  std::string_view id, seed_text, created_text, not_before_text, retired_text;
  if (element["kid"].get(id) || element["d"].get(seed_text) || element["created"].get(created_text))
    return {};
  const std::optional<std::string> seed = from_base64url(seed_text);
  const std::optional<Time> created = parse_time(created_text);
  std::array<uint8_t, 32> bytes;
  if (!seed || seed->size() != bytes.size() || !created) return {};
  std::copy_n(seed->begin(), bytes.size(), bytes.begin());
  SigningKey key = make_signing_key(bytes, *created);
  if (key.id != id) return {};
  if (!element["not_before"].get(not_before_text)) {
    const std::optional<Time> not_before = parse_time(not_before_text);
    if (!not_before) return {};
    key.not_before = *not_before;
  }
  if (!element["retired"].get(retired_text)) {
    const std::optional<Time> retired = parse_time(retired_text);
    if (!retired) return {};
    key.retired = *retired;
  }
  return key;
}

bool write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written <= 0) return false;
    text.remove_prefix(size_t(written));
  }
  return ::fsync(file) == 0;
}

void sync_folder(const std::string& folder) {
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  ::fsync(file);
  ::close(file);
}

}  // namespace

Lock::~Lock() {
  if (file_ >= 0) ::close(file_);
}

Result<Lock> lock(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0 || ::flock(file, LOCK_EX) != 0) {
    const std::string why = std::strerror(errno);
    if (file >= 0) ::close(file);
    return unavailable(folder, "cannot be opened: " + why);
  }
  return Lock(file);
}

bool exists(const std::string& folder) { return ::access(path_of(folder).c_str(), F_OK) == 0; }

std::array<int64_t, 3> version(const std::string& folder) {
  struct stat status{};
  if (::stat(path_of(folder).c_str(), &status) != 0) return {};
  return {int64_t(status.st_ino), status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}

Result<std::vector<SigningKey>> read(const std::string& folder) {
  const std::string path = path_of(folder);
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  simdjson::dom::array array;
  if (const auto error = parser.load(path).get(document))
    return unavailable(path, std::string("cannot be read: ") + simdjson::error_message(error));
  if (document["keys"].get(array)) return unavailable(path, "is no key set");
  std::vector<SigningKey> keys;
  for (const simdjson::dom::element element : array) {
    std::optional<SigningKey> key = from_json(element);
    if (!key) return unavailable(path, "holds a damaged key; restore the file from a backup");
    keys.push_back(std::move(*key));
  }
  const auto signs = [](const SigningKey& key) { return key.retired == 0; };
  if (std::ranges::count_if(keys, signs) != 1)
    return unavailable(
        path, "has no single key that is not retired; restore the file, or delete it to sign everybody out");
  const auto first = std::ranges::find_if(keys, signs);
  std::rotate(keys.begin(), first, first + 1);
  return keys;
}

Result<void> write(const std::string& folder, const std::vector<SigningKey>& keys) {
  const std::string path = path_of(folder), fresh = path + ".new";
  ::unlink(fresh.c_str());  // of a crash; the caller holds the lock
  const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return unavailable(fresh, std::strerror(errno));
  const bool written = write_all(file, to_json(keys));
  ::close(file);
  if (!written || ::rename(fresh.c_str(), path.c_str()) != 0) return unavailable(fresh, std::strerror(errno));
  sync_folder(folder);
  return {};
}

}  // namespace micropay::key_file
