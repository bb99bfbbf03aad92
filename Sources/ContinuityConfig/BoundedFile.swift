import Foundation
import Glibc

/// Reads text files that somebody else may have put there.
package enum BoundedFile {
    /// - Parameters:
    ///   - bytesMax: more is refused, without reading on.
    ///   - onlyRegular: whether a pipe or device is refused; opening it never waits.
    /// - Throws: ``ConfigError`` with what to do.
    package static func text(
        of file: String, bytesMax: Int, onlyRegular: Bool = false,
        remedy: String = "check the path and its permissions"
    ) throws(ConfigError) -> String {
        func error(_ message: String, _ remedy: String) -> ConfigError {
            ConfigError(file: file, line: nil, message: message, remedy: remedy)
        }
        // A pipe without a writer opens at once this way.
        let descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw error(errno == ENOENT ? "does not exist" : "cannot be read", remedy)
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw error("cannot be read", remedy) }
        if status.st_mode & S_IFMT != S_IFREG {
            guard !onlyRegular, status.st_mode & S_IFMT != S_IFDIR,
                fcntl(descriptor, F_SETFL, O_RDONLY) == 0
            else { throw error("is not a file", remedy) }
        }
        guard let data = try? handle.read(upToCount: bytesMax + 1) else {
            // At the end of an empty file.
            guard status.st_size == 0 else { throw error("cannot be read", remedy) }
            return ""
        }
        guard data.count <= bytesMax else {
            throw error("is larger than \(bytesMax >> 10) KiB", "split or shorten it")
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw error("cannot be read as UTF-8 text", "save it as UTF-8")
        }
        return text
    }
}
