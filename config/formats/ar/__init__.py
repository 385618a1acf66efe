"""Arabic, with the digits of codes and files: a receipt must look the same everywhere."""
