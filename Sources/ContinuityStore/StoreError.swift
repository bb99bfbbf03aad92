/// The journal cannot be used: which file, why, and what to do.
package struct StoreError: Error, CustomStringConvertible {
    package let file: String
    package let message: String
    package let remedy: String
    /// Whether what stands in the file is wrong, not only the way to it.
    package let isDamage: Bool

    package init(file: String, message: String, remedy: String, isDamage: Bool = false) {
        self.file = file
        self.message = message
        self.remedy = remedy
        self.isDamage = isDamage
    }

    package var description: String { "\(file): \(message); \(remedy)" }
}
