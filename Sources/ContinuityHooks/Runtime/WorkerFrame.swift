import ContinuityCore

/// What a worker says.
enum WorkerFrame {
    case log(String)
    case call(name: String, arguments: JSONValue)
    /// The lines that hold code.
    case coverage(HookCoverage)
    /// A line ran for the first time.
    case line(Int)
    case done(WorkerVerdict)

    init?(_ json: JSONValue) {
        if let text = json["log"]?.string {
            self = .log(text)
        } else if let name = json["call"]?.string {
            self = .call(name: name, arguments: json["args"] ?? .null)
        } else if let lines = json["coverage"], let coverage = HookCoverage(lines) {
            self = .coverage(coverage)
        } else if let line = json["line"]?.int {
            self = .line(Int(line))
        } else if let done = json["done"], let verdict = WorkerVerdict(done) {
            self = .done(verdict)
        } else {
            return nil
        }
    }
}

/// A worker's last word.
struct WorkerVerdict {
    let status: HookOutcome.Status
    let limit: String?
    let value: JSONValue
    let error: String?
    let instructions: Int64
    let memoryBytes: Int64
    let cpuUs: Int64

    init?(_ json: JSONValue) {
        // `denied` and `crash` are not for the worker to say.
        guard let text = json["status"]?.string, let status = HookOutcome.Status(rawValue: text),
            [.ok, .failed, .error, .limit].contains(status)
        else { return nil }
        self.status = status
        limit = json["limit"]?.string
        value = json["value"] ?? .null
        error = json["error"]?.string
        instructions = json["instructions"]?.int ?? 0
        memoryBytes = json["memory_bytes"]?.int ?? 0
        cpuUs = json["cpu_us"]?.int ?? 0
    }
}
