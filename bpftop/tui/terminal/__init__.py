"""The output to the terminal: few bytes, and no more than the line carries. Only ``writer`` needs Textual."""
