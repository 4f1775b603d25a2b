// Applicants on disk, so that a second start of the sandbox keeps its data.
#ifndef KYC_DEPLOY_SANDBOX_DATA_FILE_H_
#define KYC_DEPLOY_SANDBOX_DATA_FILE_H_

#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "absl/status/status.h"
#include "deploy/sandbox/applicants.h"
#include "services/base/mutex.h"

namespace kyc::sandbox {

// All applicants as one JSON document; what an image is, but never its bytes.
std::string RenderData(const Applicants& applicants);

// Takes the applicants of such a document into an empty model.
// INVALID_ARGUMENT says what is wrong with it.
absl::Status RestoreData(std::string_view text, Applicants* applicants);

// Reads the file into the model; a file that does not exist is no error.
// Messages name the path.
absl::Status LoadDataFile(const std::string& path, Applicants* applicants);

// Writes a file in its own thread, whole or not at all (written beside it,
// synced, renamed), readable by its owner only. Of several texts handed over
// during a write only the last is written. Thread-safe.
class FileWriter {
 public:
  explicit FileWriter(std::string path);
  // Writes what is still due.
  ~FileWriter();

  void Write(std::string text);

 private:
  void Run();

  const std::string path_;
  base::Mutex mutex_;
  base::CondVar wake_;
  std::optional<std::string> due_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace kyc::sandbox

#endif  // KYC_DEPLOY_SANDBOX_DATA_FILE_H_
