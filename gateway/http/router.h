// From a request's method and path to a number: the row of a route table.
//
//   ASSIGN_OR_RETURN(Router router, Router::Builder()
//       .Add("GET", "/v0/kyc/status", 0)
//       .Add("GET", "/v0/users/{user_id}/kyc", 1)
//       .Add("*", "/v0/kyc/gate/{path...}", 2)
//       .Build());
//
// Immutable once built, so one table serves every thread.
#ifndef KYC_GATEWAY_HTTP_ROUTER_H_
#define KYC_GATEWAY_HTTP_ROUTER_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace kyc::gateway {

struct RouteMatch {
  enum class Outcome {
    kFound,
    kNoPath,     // No route has this path.
    kNoMethod,   // Some route has it, with other methods: those in `allow`.
    kMalformed,  // The path is not decodable text.
  };
  Outcome outcome = Outcome::kNoPath;
  int id = -1;  // As given to Add; for kFound.
  // For kFound and kNoMethod: the path's methods as an Allow header has them,
  // HEAD and OPTIONS included. A view into the router.
  std::string_view allow;
  // Decoded values of the template's {names}, from left to right.
  std::vector<std::string> params;
};

class Router {
 public:
  class Builder;

  // Segments are compared after splitting and decoding, so an encoded slash
  // is part of its segment; one slash at the end makes no difference. A
  // literal segment wins over a {name}; a {name} takes any text but none. A
  // {name...} at a template's end takes the whole rest, undecoded, where
  // nothing else fits. HEAD finds the routes of GET. Methods are
  // case-sensitive; "*" stands for those without a route of their own.
  RouteMatch Find(std::string_view method, std::string_view path) const;

 private:
  struct Node {
    std::vector<std::pair<std::string, int>> literals;  // Segment to node.
    int wildcard = -1;
    int rest = -1;                                     // Of a {name...}.
    std::vector<std::pair<std::string, int>> methods;  // Method to id.
    std::string allow;
  };

  const Node* Walk(const Node& node, std::string_view rest,
                   std::vector<std::string>* params) const;

  std::vector<Node> nodes_;  // The first one is the root.
};

class Router::Builder {
 public:
  Builder();
  // `path` begins with a slash and ends without; a segment is a literal (not
  // encoded), {name} or, at the end, {name...}.
  Builder& Add(std::string_view method, std::string_view path, int id);
  // INVALID_ARGUMENT names a path that is none or was added twice.
  absl::StatusOr<Router> Build();

 private:
  absl::Status status_;
  Router router_;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_HTTP_ROUTER_H_
