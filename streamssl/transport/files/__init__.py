"""A file as a stream: one partition, offset = row number, one output row per input row."""

from streamssl.transport.files.csv_options import CsvOptions
from streamssl.transport.files.rows import InputFileError
from streamssl.transport.files.transport import FileTransport
from streamssl.transport.files.writers import OutputFileError

__all__ = ["CsvOptions", "FileTransport", "InputFileError", "OutputFileError"]
