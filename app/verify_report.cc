// A report of `micropay verify` as a table for people and as JSON for machines.
#include <sys/resource.h>

#include <algorithm>
#include <charconv>

#include "app/verify.h"
#include "libs/base/unicode.h"
#include "libs/contract/json.h"

namespace micropay::app {
namespace {

constexpr size_t kTablesTold = 5;

std::string json_text(std::string_view text) {
  std::string out;
  contract::append_json_string(out, text);
  return out;
}

std::string_view kind_text(RowDifference::Kind kind) {
  static constexpr std::string_view kKinds[] = {"changed", "missing", "extra"};
  return kKinds[size_t(kind)];
}

template <typename T, typename F>
std::string json_list(const std::vector<T>& items, F text) {
  std::string out = "[";
  for (const T& item : items) out += (out.size() == 1 ? "" : ",") + text(item);
  return out + "]";
}

std::string json_row(const RowDifference& row) {
  std::string out = fmt::format(R"({{"kind":"{}","key":{},"fields":{})", kind_text(row.kind),
                                json_text(row.key), json_text(row.fields));
  if (row.tick != 0 && !row.segment.empty())
    out += fmt::format(R"(,"segment":"log/{}","byte":{})", row.segment, row.byte);
  if (row.tick != 0) out += fmt::format(R"(,"tick":{},"event":{})", row.tick, row.first_event);
  return out + "}";
}

std::string json_table(const TableComparison& table) {
  const std::string service = table.service.empty() ? "" : fmt::format(R"("service":"{}",)", table.service);
  return fmt::format(R"({{{}"table":"{}","rows":{},"rowsInLog":{},"differences":{},"first":{}}})", service,
                     table.table->sql_name, table.rows, table.rows_in_log, table.differences,
                     json_list(table.first, json_row));
}

std::string json_check(const Check& check) {
  std::string out = fmt::format(R"({{"name":{},"ok":{},"count":{},"unit":{})", json_text(check.name),
                                check.ok, check.count, json_text(check.unit));
  if (check.under_way) out += R"(,"underWay":true)";
  if (check.took) out += fmt::format(R"(,"seconds":{:.3f})", double(*check.took) / kSecond);
  if (!check.ok)
    out += fmt::format(R"(,"problem":{},"next":{})", json_text(check.problem), json_text(check.next));
  if (!check.tables.empty()) out += R"(,"tables":)" + json_list(check.tables, json_table);
  return out + "}";
}

}  // namespace

uint64_t most_memory() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return uint64_t(usage.ru_maxrss) * 1024;
}

bool VerifyReport::ok() const {
  return std::ranges::all_of(checks, [](const Check& check) { return check.ok || check.under_way; });
}

std::string VerifyReport::text() const {
  std::vector<std::vector<std::string>> rows{{"", "check", "count", "time"}};
  for (const Check& check : checks)
    rows.push_back({check.ok          ? "ok"
                    : check.under_way ? "open"
                                      : "FAILED",
                    check.name,
                    check.unit.empty() ? grouped(check.count) : grouped(check.count) + " " + check.unit,
                    check.took ? seconds_text(*check.took) : ""});
  std::string out = text_table(rows) + "\n", advice;
  for (const Check& check : checks) {
    if (check.ok) continue;
    out += fmt::format("{}: {}\n", check.name, check.problem);
    for (size_t i = 1; i < check.tables.size() && i < kTablesTold; ++i)
      out += fmt::format("{}: {}\n", check.name, check.tables[i].text());
    if (advice.empty()) advice = check.next;
  }
  if (!advice.empty()) out += fmt::format("What to do: {}.\n", advice);
  for (const std::string& note : notes) out += fmt::format("note: {}\n", note);
  if (head.sequence > 0)
    out +=
        fmt::format("Audit head {} (kept elsewhere, it proves later that nothing before it was rewritten).\n",
                    audit_head_text(head));
  const auto open = std::ranges::count_if(checks, &Check::under_way);
  const auto failed = std::ranges::count_if(checks, [](const Check& check) { return !check.ok; }) - open;
  const std::string cost = fmt::format("{}, {} of memory", seconds_text(took), bytes_text(memory_bytes));
  if (failed == 0 && !at_rest)
    out += fmt::format(
        "No fault was found in {} checks, and {} could not be judged: the cluster is not at "
        "rest ({}).\n",
        checks.size(), open, cost);
  else
    out += failed == 0 ? fmt::format("All {} checks hold ({}).\n", checks.size(), cost)
                       : fmt::format("{} of {} checks failed ({}).\n", failed, checks.size(), cost);
  return printable_lines(out);  // fields of rows stand in it
}

std::string VerifyReport::json() const {
  std::string out = fmt::format(
      R"({{"ok":{},"atRest":{},"topicsRead":{},"seconds":{:.3f},"memoryBytes":{},"checks":{},"notes":{})",
      ok(), at_rest, topics_read, double(took) / kSecond, memory_bytes, json_list(checks, json_check),
      json_list(notes, json_text));
  if (head.sequence > 0) out += fmt::format(R"(,"auditHead":"{}")", audit_head_text(head));
  return out + "}\n";
}

std::string audit_head_text(const AuditHead& head) {
  std::string out = fmt::format("{}:", head.sequence);
  for (const char byte : head.hash) out += fmt::format("{:02x}", uint8_t(byte));
  return out;
}

std::optional<AuditHead> parse_audit_head(std::string_view text) {
  constexpr size_t kHashDigits = 64;
  AuditHead head;
  const char* const end = text.data() + text.size();
  const auto [colon, error] = std::from_chars(text.data(), end, head.sequence);
  if (error != std::errc() || head.sequence == 0 || size_t(end - colon) != 1 + kHashDigits || *colon != ':')
    return {};
  for (const char* digits = colon + 1; digits < end; digits += 2) {
    uint8_t byte = 0;
    const auto [stop, wrong] = std::from_chars(digits, digits + 2, byte, 16);
    if (wrong != std::errc() || stop != digits + 2) return {};
    head.hash += char(byte);
  }
  return head;
}

}  // namespace micropay::app
