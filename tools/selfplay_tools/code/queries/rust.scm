; Definitions of Rust.

(function_item name: (identifier) @name) @function
(trait_item body: (declaration_list (function_signature_item name: (identifier) @name) @method))
(foreign_mod_item body: (declaration_list (function_signature_item name: (identifier) @name) @declaration))
(foreign_mod_item body: (declaration_list (static_item name: (identifier) @name) @declaration))

(struct_item name: (type_identifier) @name) @struct
(union_item name: (type_identifier) @name) @union
(enum_item name: (type_identifier) @name) @enum
(trait_item name: (type_identifier) @name) @trait
(type_item name: (type_identifier) @name) @type
(associated_type name: (type_identifier) @name) @type
(macro_definition name: (identifier) @name) @macro
(mod_item name: (identifier) @name body: (_)) @namespace
(const_item name: (identifier) @name) @constant
(static_item name: (identifier) @name) @variable

; What stands in an `impl` is named after its type.
(impl_item type: [
  (type_identifier) @name
  (generic_type type: (type_identifier) @name)
  (generic_type type: (scoped_type_identifier name: (type_identifier) @name))
  (scoped_type_identifier name: (type_identifier) @name)
  (reference_type type: (type_identifier) @name)
  (reference_type type: (generic_type type: (type_identifier) @name))
  (primitive_type) @name
]) @scope

; Attributes come first, as siblings.
(_ (attribute_item) @lead . (_) @led)
(_ (attribute_item) @lead . (line_comment) . (_) @led)
