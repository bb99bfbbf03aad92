import ContinuityCore

/// Prints for people, so that nothing that others wrote reaches the terminal as a command. Line
/// ends are kept: they are the layout. A value that may have line ends of its own goes through
/// `SafeText.line` first.
package func print(_ text: String, terminator: String = "\n") {
    Swift.print(SafeText.lines(text), terminator: terminator)
}
