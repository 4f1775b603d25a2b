#include "deploy/sandbox/message.h"

#include <algorithm>

namespace kyc::sandbox {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string_view CutSegment(std::string_view* path) {
  const size_t end = std::min(path->find('/', 1), path->size());
  const std::string_view segment = path->substr(0, end);
  path->remove_prefix(end);
  return segment;
}

}  // namespace

std::string_view Request::path() const {
  return std::string_view(target).substr(0, target.find('?'));
}

std::string_view Request::query() const {
  const size_t mark = target.find('?');
  if (mark == std::string::npos) return {};
  return std::string_view(target).substr(mark + 1);
}

std::string_view Request::Header(std::string_view name) const {
  const auto found = headers.find(name);
  if (found == headers.end() || found->second.empty()) return {};
  return found->second.front();
}

std::vector<std::string> Request::Headers(std::string_view name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::vector<std::string>() : found->second;
}

std::optional<std::string> PercentDecode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = HexValue(text[i + 1]);
    const int low = HexValue(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

std::optional<std::map<std::string, std::string>> ParseQuery(
    std::string_view query) {
  std::map<std::string, std::string> parameters;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    std::string pair(query.substr(0, end));
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    std::replace(pair.begin(), pair.end(), '+', ' ');
    const size_t equals = std::min(pair.find('='), pair.size());
    const auto name = PercentDecode(std::string_view(pair).substr(0, equals));
    const auto value = PercentDecode(
        std::string_view(pair).substr(std::min(equals + 1, pair.size())));
    if (!name || !value || !parameters.emplace(*name, *value).second) {
      return std::nullopt;
    }
  }
  return parameters;
}

bool MatchPath(std::string_view pattern, std::string_view path,
               std::vector<std::string_view>* captured) {
  captured->clear();
  while (!pattern.empty() && !path.empty()) {
    const std::string_view want = CutSegment(&pattern);
    const std::string_view have = CutSegment(&path);
    if (want.starts_with("/{")) {
      if (have.size() < 2) return false;
      captured->push_back(have.substr(1));
    } else if (want != have) {
      return false;
    }
  }
  return pattern.empty() && path.empty();
}

}  // namespace kyc::sandbox
