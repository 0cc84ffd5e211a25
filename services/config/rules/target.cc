#include "services/config/rules/target.h"

#include <algorithm>

#include "libs/http/message.h"

namespace micropay::config {
namespace {

using Form = Target::Form;

constexpr size_t kMaxSegments = 20;
constexpr size_t kMaxLabel = 200;
constexpr std::pair<std::string_view, Form> kForms[] = {{".yml", Form::kYaml},
                                                        {".yaml", Form::kYaml},
                                                        {".properties", Form::kProperties},
                                                        {".json", Form::kJson}};

std::unexpected<Error> no_route() {
  return fail(Code::kNotFound, "route_not_found", "There is no such route.");
}

Result<std::vector<std::string>> segments_of(std::string_view path) {
  std::vector<std::string> segments;
  path.remove_prefix(1);
  while (true) {
    const size_t slash = std::min(path.find('/'), path.size());
    auto segment = percent_decode(path.substr(0, slash), false);
    const bool plain = segment && std::ranges::none_of(*segment, [](unsigned char c) {
                         return c < 0x20 || c == 0x7F || c == '/' || c == '\\';
                       });
    if (!plain || segment->empty() || *segment == "." || *segment == ".." || segments.size() == kMaxSegments)
      return fail(Code::kInvalidArgument, "invalid_path", "The path is no path of ours.");
    segments.push_back(*std::move(segment));
    if (slash == path.size()) return segments;
    path.remove_prefix(slash + 1);
  }
}

Result<std::string> label_of(std::string segment) {
  constexpr std::string_view kSlash = "(_)";
  for (size_t at = 0; (at = segment.find(kSlash, at)) != segment.npos; ++at)
    segment.replace(at, kSlash.size(), "/");
  if (!is_label(segment))
    return fail(Code::kInvalidArgument, "invalid_label", "That is no name of a branch, tag or commit.",
                "label");
  return segment;
}

Result<void> name_request(Target& target, std::string_view applications, std::string_view profiles) {
  target.name = applications;
  target.request.applications = TRY(split_checked(applications, "application"));
  target.request.profiles = TRY(split_checked(profiles, "profile"));
  return {};
}

// "payment-eu.yml": the last '-' is before the profiles.
Result<std::optional<Target>> merged_file(const std::vector<std::string>& segments) {
  const std::string_view file = segments.back();
  for (const auto& [extension, form] : kForms) {
    if (!file.ends_with(extension)) continue;
    const std::string_view stem = file.substr(0, file.size() - extension.size());
    const size_t dash = stem.rfind('-');
    if (dash == stem.npos || dash == 0 || dash + 1 == stem.size()) return std::nullopt;
    Target target{.form = form};
    TRY(name_request(target, stem.substr(0, dash), stem.substr(dash + 1)));
    if (segments.size() == 2) target.request.label = TRY(label_of(segments.front()));
    return target;
  }
  return std::nullopt;
}

}  // namespace

bool is_label(std::string_view label) {
  const auto allowed = [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '/' || c == '+' || c == '#';
  };
  return !label.empty() && label.size() <= kMaxLabel && label.front() != '-' && label.front() != '/' &&
         label.front() != '.' && label.back() != '/' && label.back() != '.' &&
         label.find("..") == label.npos && label.find("//") == label.npos && label.find("/.") == label.npos &&
         !label.ends_with(".lock") && std::ranges::all_of(label, allowed);
}

Result<Target> read_target(std::string_view path, bool default_label) {
  const auto segments = TRY(segments_of(path));
  if (segments.size() <= 2) {
    if (auto target = TRY(merged_file(segments))) return *std::move(target);
  }
  if (segments.size() < 2) return no_route();
  Target target;
  TRY(name_request(target, segments[0], segments[1]));
  const size_t path_at = default_label ? 2 : 3;
  if (!default_label && segments.size() >= 3) target.request.label = TRY(label_of(segments[2]));
  for (size_t i = path_at; i < segments.size(); ++i)
    target.path += (target.path.empty() ? "" : "/") + segments[i];
  if (!target.path.empty()) target.form = Form::kPlain;
  return target;
}

}  // namespace micropay::config
