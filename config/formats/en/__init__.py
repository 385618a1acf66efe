"""English: "3 May 2026"; thousands parted by a narrow space, which nobody takes for a decimal."""
