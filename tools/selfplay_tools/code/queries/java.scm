; Definitions of Java.

(class_declaration name: (identifier) @name) @class
(record_declaration name: (identifier) @name) @class
(enum_declaration name: (identifier) @name) @enum
(interface_declaration name: (identifier) @name) @interface
(annotation_type_declaration name: (identifier) @name) @interface

(method_declaration name: (identifier) @name) @method
(constructor_declaration name: (identifier) @name) @method
(compact_constructor_declaration name: (identifier) @name) @method
(annotation_type_element_declaration name: (identifier) @name) @method
(enum_constant name: (identifier) @name body: (_)) @scope

(class_body (field_declaration
  (modifiers "static" "final")
  declarator: (variable_declarator name: (identifier) @name)) @constant)
(enum_body_declarations (field_declaration
  (modifiers "static" "final")
  declarator: (variable_declarator name: (identifier) @name)) @constant)
(interface_body (constant_declaration declarator: (variable_declarator name: (identifier) @name)) @constant)
