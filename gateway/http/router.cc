#include "gateway/http/router.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "gateway/http/percent.h"

namespace kyc::gateway {
namespace {

// Takes the first segment off `rest`.
std::string_view TakeSegment(std::string_view* rest) {
  const size_t slash = rest->find('/');
  const std::string_view segment = rest->substr(0, slash);
  *rest = slash == std::string_view::npos ? std::string_view()
                                          : rest->substr(slash + 1);
  return segment;
}

int Lookup(const std::vector<std::pair<std::string, int>>& entries,
           std::string_view name) {
  for (const auto& [key, value] : entries) {
    if (key == name) return value;
  }
  return -1;
}

std::string AllowOf(const std::vector<std::pair<std::string, int>>& methods) {
  std::string allow;
  for (const auto& [method, id] : methods) {
    absl::StrAppend(&allow, method, ", ");
    if (method == "GET") absl::StrAppend(&allow, "HEAD, ");
  }
  return allow + "OPTIONS";
}

}  // namespace

// `rest` is what follows the slash after `node`; a path's last segment is
// followed by none, which a null view marks.
const Router::Node* Router::Walk(const Node& node, std::string_view rest,
                                 std::vector<std::string>* params) const {
  if (rest.data() == nullptr) return node.methods.empty() ? nullptr : &node;
  const std::string_view whole = rest;
  const std::string_view raw = TakeSegment(&rest);
  std::string decoded;
  std::string_view segment = raw;
  if (raw.find('%') != std::string_view::npos) {
    decoded = PercentDecode(raw, /*plus_is_space=*/false).value_or("");
    segment = decoded;
  }
  if (segment.empty()) return nullptr;
  if (const int next = Lookup(node.literals, segment); next >= 0) {
    if (const Node* end = Walk(nodes_[next], rest, params)) return end;
  }
  if (node.wildcard >= 0) {
    params->emplace_back(segment);
    if (const Node* end = Walk(nodes_[node.wildcard], rest, params)) return end;
    params->pop_back();
  }
  if (node.rest < 0) return nullptr;
  params->emplace_back(whole);
  return &nodes_[node.rest];
}

RouteMatch Router::Find(std::string_view method, std::string_view path) const {
  RouteMatch match;
  if (path.empty() || path.front() != '/') return match;
  if (path.find('%') != std::string_view::npos &&
      !PercentDecode(path, /*plus_is_space=*/false)) {
    match.outcome = RouteMatch::Outcome::kMalformed;
    return match;
  }
  path.remove_prefix(1);
  if (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  if (path.empty()) path = std::string_view();
  const Node* node = Walk(nodes_.front(), path, &match.params);
  if (node == nullptr) return match;
  match.allow = node->allow;
  match.id = Lookup(node->methods, method == "HEAD" ? "GET" : method);
  if (match.id < 0) match.id = Lookup(node->methods, "*");
  match.outcome = match.id < 0 ? RouteMatch::Outcome::kNoMethod
                               : RouteMatch::Outcome::kFound;
  return match;
}

Router::Builder::Builder() { router_.nodes_.emplace_back(); }

Router::Builder& Router::Builder::Add(std::string_view method,
                                      std::string_view path, int id) {
  if (path.empty() || path.front() != '/' || id < 0) {
    status_.Update(absl::InvalidArgumentError(
        absl::StrCat("not a route: ", std::string(path))));
    return *this;
  }
  auto& nodes = router_.nodes_;
  size_t node = 0;
  std::string_view rest = path.substr(1);
  if (rest.empty()) rest = std::string_view();
  while (rest.data() != nullptr) {
    const std::string_view segment = TakeSegment(&rest);
    if (segment.empty()) {
      status_.Update(absl::InvalidArgumentError(
          absl::StrCat("empty segment: ", std::string(path))));
      return *this;
    }
    const bool wildcard = segment.front() == '{';
    const bool takes_rest =
        wildcard && segment.find("...}") != std::string_view::npos;
    if (takes_rest && rest.data() != nullptr) {
      status_.Update(absl::InvalidArgumentError(
          absl::StrCat("a rest that is not the end: ", std::string(path))));
      return *this;
    }
    int next = takes_rest ? nodes[node].rest
               : wildcard ? nodes[node].wildcard
                          : Lookup(nodes[node].literals, segment);
    if (next < 0) {
      next = static_cast<int>(nodes.size());
      nodes.emplace_back();
      if (takes_rest) {
        nodes[node].rest = next;
      } else if (wildcard) {
        nodes[node].wildcard = next;
      } else {
        nodes[node].literals.emplace_back(segment, next);
      }
    }
    node = static_cast<size_t>(next);
  }
  auto& methods = nodes[node].methods;
  if (Lookup(methods, method) >= 0) {
    status_.Update(absl::InvalidArgumentError(
        absl::StrCat("route added twice: ", std::string(path))));
    return *this;
  }
  methods.emplace_back(method, id);
  std::sort(methods.begin(), methods.end());
  nodes[node].allow = AllowOf(methods);
  return *this;
}

absl::StatusOr<Router> Router::Builder::Build() {
  if (!status_.ok()) return status_;
  return router_;
}

}  // namespace kyc::gateway
