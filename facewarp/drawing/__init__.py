"""Draw on images: compositing -> text -> palette -> contact_sheet, png."""
