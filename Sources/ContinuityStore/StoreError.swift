/// The journal cannot be used: which file, why, and what to do.
package struct StoreError: Error, CustomStringConvertible {
    package let file: String
    package let message: String
    package let remedy: String
    /// Whether what stands in the file is wrong, not only the way to it.
    package var isDamage = false

    package var description: String { "\(file): \(message); \(remedy)" }
}
