package delivery

// Record is record.
func Record(l *Letter) []byte { return l.record() }

// LetterOf is letterOf.
func LetterOf(n int, record []byte) Letter { return letterOf(n, record) }
